"""What an archive says of itself in ro-crate-metadata.json: its files, and each run as an action of the code behind it.

It conforms to RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and Process Run Crate 0.5.
"""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from ..text import how_many
from ..training.integrity import SUMS

CRATE = "ro-crate-metadata.json"
PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "https://w3id.org/ro/terms/workflow-run"
# what whoever checks the archive makes again
MADE = {
    "differences.png": "how far each row of Table 1 is from the baseline, in the paper and here",
    "results.json": "every number of the runs, of Table 1 and of the verdicts, and where each comes from",
    "claims.csv": "the verdict on every claim of the paper",
    "index.html": "the report, one page that needs no network",
}
MEDIA = {
    **{".json": "application/json", ".csv": "text/csv", ".html": "text/html", ".png": "image/png"},
    **{".ipynb": "application/x-ipynb+json", ".md": "text/markdown", ".toml": "application/toml"},
    **{".yaml": "application/yaml", ".yml": "application/yaml", ".cff": "application/yaml"},
    **{".npz": "application/zip", ".keras": "application/zip"},
}


def describe(part: Path, sums: dict[str, str], results: dict[str, Any], citation: dict[str, Any]) -> None:
    """Write the crate's metadata: every file, and each finished run as an action of the code that made it.

    sums  the files' checksums by name
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms = {name: f"{TERMS}#{name}" for name in ("environment", "sha256")}
    files = {
        name: crate.add_file(part / name, name, properties={**_of_file(part / name), "sha256": digest})
        for name, digest in sums.items()
    }
    # written last
    files[SUMS] = crate.add_file(part / SUMS, SUMS, properties={"name": SUMS, "encodingFormat": "text/plain"})
    paper, address = citation["references"][0], citation.get("repository-code") or citation.get("url")
    authors, writers = (_one([_agent(crate, entry) for entry in work["authors"]]) for work in (citation, paper))
    spdx = f"https://spdx.org/licenses/{citation['license']}"
    licence = _thing(crate, spdx, "CreativeWork", name=citation["license"])
    software = {"name": citation["title"].partition(":")[0], "softwareVersion": citation["version"]}
    software |= {"url": address, "codeRepository": address, "license": licence, "author": authors}
    actions, folders = _describe_runs(crate, results["runs"], files, software)
    in_folders = {file.id for folder in folders for file in folder["hasPart"]}
    now = int(os.environ.get("SOURCE_DATE_EPOCH", datetime.now(timezone.utc).timestamp()))
    cited = {"name": paper["title"], "author": writers, "description": paper.get("notes")}
    for name, value in {
        "name": f"{paper['title']}, run again: the profile {results['profile']}",
        "description": f"{how_many(len(actions), 'finished run')} and {len(folders) - len(actions)} under way, with "
        f"parameters, locks, tables and report. {citation['message']}",
        "datePublished": datetime.fromtimestamp(now, timezone.utc).isoformat(),
        "license": licence,
        "author": authors,
        "keywords": ", ".join(citation["keywords"]),
        "citation": _thing(crate, address_of(paper) or _id(paper["title"]), "ScholarlyArticle", **cited),
        "conformsTo": _thing(
            crate, PROCESS, "CreativeWork", name="Process Run Crate", version=PROCESS.rpartition("/")[2]
        ),
        "hasPart": [*(file for file in files.values() if file.id not in in_folders), *folders],
        "mentions": _one([_code(crate, results, software), *actions]),
    }.items():
        crate.root_dataset[name] = value
    crate.metadata.write(part)


def _describe_runs(
    crate: ROCrate, runs: list[dict[str, Any]], files: dict[str, Any], software: dict[str, Any]
) -> tuple[list[Any], list[Any]]:
    """Add the runs' folders, and an action for each that is finished; return the actions and the folders."""
    actions, folders, by_folder = [], [], defaultdict(list)
    for name, file in files.items():
        by_folder[name.rpartition("/")[0]].append(file)
    for run in runs:
        of_run = by_folder[run["folder"]]
        words = f"Training of {run['name']}, seed {run['seed']}, under the profile {run['profile']}"
        about = {"name": words, "description": f"{run['iterations']:,} updates of the recipe in config.json"}
        folders.append(crate.add_dataset(dest_path=run["folder"], properties={**about, "hasPart": of_run}))
        if run["status"] == "finished":
            config = files[f"{run['folder']}/config.json"]
            actions.append(_action(crate, run, folders[-1], config, software))
        else:
            folders[-1]["creativeWorkStatus"] = "Incomplete"
    return actions, folders


def _action(crate: ROCrate, run: dict[str, Any], folder: Any, config: Any, software: dict[str, Any]) -> Any:
    """Add a finished run as an action that made its folder's files from its configuration and the dataset."""
    dataset = {"name": run["dataset"], "identifier": run["fingerprint"]}
    settings = {name: run[name] for name in ("backend", "device", "processor", "convolutions") if run[name]}
    return _thing(
        crate,
        f"#run-{run['run_id']}",
        "CreateAction",
        name=folder["name"],
        description=folder["description"],
        endTime=run["finished"],
        instrument=_code(crate, run, software),
        object=[_thing(crate, _id(run["fingerprint"]), "CreativeWork", **dataset), config],
        result=[file for file in folder["hasPart"] if file is not config],
        # who trains elsewhere is not known
        agent=software["author"] if run["tier"] != "re-run here" else None,
        environment=[
            _thing(crate, _id(f"{name}={value}"), "PropertyValue", name=name, value=value)
            for name, value in {**settings, **run["packages"]}.items()
        ],
        actionStatus="http://schema.org/CompletedActionStatus",
    )


def _thing(crate: ROCrate, identity: str, kind: str, **properties: Any) -> Any:
    """Return the crate's entity of this identity, added with these properties where it is not there yet."""
    known = {name: value for name, value in properties.items() if value}
    return crate.get(identity) or crate.add(ContextEntity(crate, identity, {"@type": kind, **known}))


def _agent(crate: ROCrate, entry: dict[str, Any]) -> Any:
    """Add a person or an organization, as CITATION.cff describes it."""
    kind, home = "Organization" if "name" in entry else "Person", entry.get("affiliation")
    about = {"url": entry.get("website"), "affiliation": home and _agent(crate, {"name": home})}
    return _thing(crate, entry.get("orcid") or _id(name_of(entry)), kind, name=name_of(entry), **about)


def _code(crate: ROCrate, origin: dict[str, Any], software: dict[str, Any]) -> Any:
    """Add the software as it was at an origin's commit."""
    version = f"{origin['commit'] or 'unknown'}{', with uncommitted changes' if origin['modified'] else ''}"
    identity = f"{software['url'] or ''}{_id(version)}"
    return _thing(crate, identity, "SoftwareSourceCode", version=version, **software)


def _of_file(path: Path) -> dict[str, str]:
    about = {"description": MADE[path.name]} if path.name in MADE else {}
    known = {"encodingFormat": MEDIA.get(path.suffix, "text/plain"), "contentSize": str(path.stat().st_size)}
    return {"name": path.name, **known, **about}


def _one(entities: list[Any]) -> Any:
    """Return a single entity by itself: RO-Crate 1.1 wants a list of several only."""
    return entities[0] if len(entities) == 1 else entities


def _id(words: str) -> str:
    return f"#{quote(words)}"


def name_of(author: dict[str, Any]) -> str:
    return author.get("name") or f"{author['given-names']} {author['family-names']}"


def address_of(work: dict[str, Any]) -> str | None:
    return f"https://doi.org/{work['doi']}" if "doi" in work else work.get("url") or work.get("repository-code")
