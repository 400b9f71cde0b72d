"""The archive of a study: its files and checksums, what its metadata and results say, what it is not written over."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import nbformat
import pytest
import yaml
from conftest import ROOT, TINY
from made_up_report import code, write_notebook, write_run
from nbformat.v4 import new_output
from run_on_disk import answers, make_run

from siamese_utils.cli import app as cli
from siamese_utils.config import load_experiment, load_profile
from siamese_utils.errors import OutputError, ResultsError
from siamese_utils.evidence.board import Board
from siamese_utils.report import archive
from siamese_utils.report.archive import export
from siamese_utils.report.crate import CRATE, MADE
from siamese_utils.report.records import LEFT_OUT, SCHEMA
from siamese_utils.training.integrity import SUMS, record_sums
from siamese_utils.training.runs import run_folder
from siamese_utils.training.verify import read_retrained, record_retrained

# what a validator recommends and nobody knows before there is a public address and a place that publishes
NOT_KNOWN = {
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The organization SHOULD have a URL.",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
}


def make_study(reports):
    """One finished run, one under way, one damaged, one on the reader's own pictures; a report and a notebook."""
    tiny = load_profile(TINY)
    write_run("baseline", tiny)
    write_run("mlp", tiny)
    folder, _ = run_folder(load_experiment("mlp"), tiny, 0)
    with (folder / "history.csv").open("a") as history:
        history.write("9\n")
    running = make_run("dense-512", tiny, 0, answers(500)).folder
    for name in ("metrics.json", "answers.npz", SUMS):
        (running / name).unlink()
    record_sums(running, "config.json", "history.csv")
    running.rename(running.with_name(running.name + ".partial"))
    shutil.copytree(reports / "tiny/results" / run_of(reports, "baseline"), reports / "tiny/own/mine")
    printed = new_output("stream", text=f"from {Path.home()}/secret/pictures\n")
    write_notebook(reports / "tiny/notebooks", "01_dataset", [code("show()", printed)])
    (reports / "tiny/index.html").write_text("a page")
    return reports / "tiny"


@pytest.fixture
def study(reports):
    return make_study(reports)


def run_of(reports, name):
    return next(path.name for path in (reports / "tiny/results").glob(f"{name}-s0-*"))


@pytest.fixture(scope="module")
def crate(tmp_path_factory):
    """An archive to read: its folder, the profile's folder that it was made from, and what the command would say."""
    place = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMESE_REPORTS_DIR", str(place / "reports"))
        return place / "crate", make_study(place / "reports"), export(TINY, place / "crate")


def entities(folder):
    graph = json.loads((folder / CRATE).read_text(encoding="utf-8"))["@graph"]
    return {entity["@id"]: entity for entity in graph}


def results(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- files ---------------------------------------------------------------------------------------


def test_it_holds_runs_report_parameters_locks_and_tables(crate):
    folder, study, _ = crate
    run, here = run_of(study.parent, "baseline"), files(folder)
    of_run = {f"reports/tiny/results/{run}/{name}" for name in ("config.json", "history.csv", "metrics.json", SUMS)}
    assert of_run | {f"reports/tiny/results/{run}/answers.npz"} <= here
    assert {"LICENSE", "NOTICE.md", "CITATION.cff", "requirements.lock", "pyproject.toml", "environment.yml"} <= here
    assert {f"params/{path.relative_to(ROOT / 'params').as_posix()}" for path in (ROOT / "params").rglob("*.*")} <= here
    assert "params/profiles/tiny.yaml" in here
    assert {f"reports/tiny/{name}" for name in ("index.html", "claims.csv", "notebooks/01_dataset.ipynb")} <= here
    assert (folder / "differences.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / SCHEMA.name).read_bytes() == SCHEMA.read_bytes()
    assert not [name for name in here if name.endswith(".keras")]


def test_every_file_has_its_checksum_in_the_list_and_in_the_metadata(crate):
    folder = crate[0]
    listed = dict(reversed(line.split("  ")) for line in (folder / SUMS).read_text().splitlines())
    assert listed == {name: digest(folder / name) for name in files(folder) - {SUMS}}
    said = {name: thing for name, thing in entities(folder).items() if thing["@type"] == "File"}
    assert said.keys() == files(folder) - {CRATE}
    assert all(thing["sha256"] == listed[name] for name, thing in said.items() if name != SUMS)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "--quiet", SUMS], cwd=folder, check=True)


def test_the_same_state_gives_the_same_bytes_but_for_the_date(study, tmp_path, monkeypatch):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    export(TINY, first)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for folder in (second, third):
        export(TINY, folder)
    made, again = ({name: digest(folder / name) for name in files(folder)} for folder in (second, third))
    assert made == again
    assert {name for name in made if made[name] != digest(first / name)} == {CRATE, SUMS}
    ours, theirs = entities(first), entities(second)
    assert theirs["./"].pop("datePublished") == "2023-11-14T22:13:20+00:00" != ours["./"].pop("datePublished")
    assert ours == theirs


def test_no_folder_of_this_machine_is_named(crate):
    folder = crate[0]
    private = {str(Path.home() / "secret"), str(folder.parent), str(ROOT)}
    texts = {name: (folder / name).read_bytes().decode("utf-8", "replace") for name in files(folder)}
    assert not [(name, each) for name, text in texts.items() for each in private if each in text]
    notebook = nbformat.read(folder / "reports/tiny/notebooks/01_dataset.ipynb", as_version=4)
    assert notebook.cells[0].outputs[0].text == "from pictures\n"


def test_weights_come_along_when_asked_for(study, tmp_path):
    run = study / "results" / run_of(study.parent, "baseline")
    (run / "model.keras").write_bytes(b"weights")
    record_sums(run, "model.keras")
    export(TINY, tmp_path / "crate")
    assert not list((tmp_path / "crate").rglob("*.keras"))
    export(TINY, tmp_path / "crate", weights=True)
    assert [path.read_bytes() for path in (tmp_path / "crate").rglob("*.keras")] == [b"weights"]
    (run / "model.keras").write_bytes(b"others")
    notes = export(TINY, tmp_path / "crate", weights=True)
    assert f"left out: {run.name}: model.keras not the one on record" in notes
    assert not list((tmp_path / "crate").rglob("*.keras"))


# ---- what it says --------------------------------------------------------------------------------


def test_what_is_not_to_be_believed_is_left_out_and_named_and_ones_own_pictures_stay(crate):
    folder, study, notes = crate
    words = f"{run_of(study.parent, 'mlp')}: history.csv changed since SHA256SUMS was written"
    assert results(folder)["left_out"] == [words]
    assert notes[0] == f"left out: {words}"
    assert not [name for name in files(folder) if "/mlp-" in name or "/own/" in name]


def test_a_notebook_that_has_changed_is_left_out_and_named(study, tmp_path):
    outcome = {"notebook": "01_dataset", "status": "ok", "seconds": 1, "sha256": "0" * 64}
    (study / "batch.json").write_text(json.dumps([outcome]))
    assert "left out: 01_dataset.ipynb: changed since the batch executed it" in export(TINY, tmp_path / "crate")
    assert not list((tmp_path / "crate").rglob("*.ipynb"))


def test_a_report_that_is_missing_or_older_than_the_runs_is_told(study, tmp_path):
    (study / "claims.csv").write_text("old")
    assert "its report is older than its runs: `siamese report` renews it" in export(TINY, tmp_path / "crate")
    (study / "index.html").unlink()
    assert "it has no report: `siamese report` makes one" in export(TINY, tmp_path / "crate")


def test_a_finished_run_is_an_action_of_the_code_that_made_it(crate):
    things, run = entities(crate[0]), run_of(crate[1].parent, "baseline")
    action = things[f"#run-{run}"]
    inside = f"reports/tiny/results/{run}"
    assert action["@type"] == "CreateAction"
    assert action["endTime"] == "2025-11-23T10:00:00+00:00"
    assert {thing["@id"] for thing in action["object"]} == {"#feedface", f"{inside}/config.json"}
    left = ("history.csv", "metrics.json", "answers.npz", SUMS)
    assert {thing["@id"] for thing in action["result"]} == {f"{inside}/{name}" for name in left}
    assert things[action["instrument"]["@id"]]["version"] == "0123456789abcdef"
    settings = {things[each["@id"]]["name"]: things[each["@id"]]["value"] for each in action["environment"]}
    assert settings == {
        **{"backend": "tensorflow", "device": "CPU", "processor": "An Honest Processor"},
        **{"python": "3.11.2", "keras": "3.12.0"},
    }
    assert "agent" not in action
    assert {"@id": action["@id"]} in things["./"]["mentions"]


def test_a_run_under_way_is_incomplete_and_no_action(crate):
    things = entities(crate[0])
    (run,) = (each for each in results(crate[0])["runs"] if each["status"] == "under way")
    assert things[f"{run['folder']}/"]["creativeWorkStatus"] == "Incomplete"
    assert Path(run["folder"]).parent == Path("reports/tiny/under_way")
    assert f"#run-{run['run_id']}" not in things
    assert [(score["split"], score["iteration"], score["episodes"]) for score in run["scores"]] == [
        ("train", 4, 20),
        ("val", 4, 20),
    ]
    (row,) = (row for row in results(crate[0])["table_1"] if row["experiment"] == "dense-512")
    assert (row["verdict"], row["source"]["run_ids"]) == ("under way", [run["run_id"]])


def test_checksums_older_than_the_last_check_stay_behind(study, tmp_path):
    (running,) = (study / "results").glob("*.partial")
    (running / "checkpoints.json").write_text("[]")
    (running / SUMS).write_text(f"{'0' * 64}  history.csv\n")
    export(TINY, tmp_path / "crate")
    (copy,) = (tmp_path / "crate/reports/tiny/under_way").iterdir()
    assert {path.name for path in copy.iterdir()} == {"config.json", "history.csv"}


def test_who_and_what_is_as_the_citation_has_it(crate):
    things, citation = entities(crate[0]), yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    root = things["./"]
    assert things[root["author"]["@id"]]["name"] == citation["authors"][0]["name"]
    assert root["license"]["@id"] == "https://spdx.org/licenses/MIT"
    paper = things[root["citation"]["@id"]]
    assert paper["name"] == citation["references"][0]["title"]
    assert things[paper["author"]["@id"]]["name"] == "Bharathikannan Nithyanantham"
    assert root["conformsTo"]["@id"] == "https://w3id.org/ro/wfrun/process/0.5"
    assert things[CRATE]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"


def test_addresses_are_given_where_the_citation_has_them(study, tmp_path, monkeypatch):
    home, citation = tmp_path / "home", yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, home / name)
    citation["repository-code"], citation["references"][0]["doi"] = "https://example.org/code", "10.1000/182"
    (home / "CITATION.cff").write_text(yaml.safe_dump(citation))
    monkeypatch.setenv("SIAMESE_HOME", str(home))
    export(TINY, tmp_path / "crate")
    things = entities(tmp_path / "crate")
    codes = [thing for thing in things.values() if thing["@type"] == "SoftwareSourceCode"]
    assert {thing["url"] for thing in codes} == {"https://example.org/code"}
    assert all(thing["@id"].startswith("https://example.org/code#") for thing in codes)
    assert things["./"]["citation"]["@id"] == "https://doi.org/10.1000/182"
    assert codecheck(tmp_path / "crate")["paper"]["reference"] == "https://doi.org/10.1000/182"


# ---- results.json --------------------------------------------------------------------------------


def test_the_results_are_as_their_schema_says(crate):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(results(crate[0]))
    for each in schema["$defs"].values():
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])


def test_the_results_hold_every_score_of_a_run_and_every_cell_of_table_1(crate, tiny, monkeypatch):
    folder, study, _ = crate
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(folder / "reports"))
    found, run = results(folder), run_of(study.parent, "baseline")
    metrics = json.loads((study / "results" / run / "metrics.json").read_text())
    (record,) = (each for each in found["runs"] if each["run_id"] == run)
    assert [{k: v for k, v in score.items() if k != "iteration"} for score in record["scores"]] == metrics["scores"]
    assert (record["seed"], record["tier"], record["finished"]) == (0, "re-run here", "2025-11-23T10:00:00+00:00")
    board = Board(tiny)
    for row, kept in zip(board.rows.to_dict("records"), found["table_1"], strict=True):
        for name in row.keys() - {*LEFT_OUT}:
            assert kept[name] == (None if row[name] != row[name] else row[name])
    baseline = found["table_1"][0]["source"]
    assert (baseline["run_ids"], baseline["seeds"], baseline["commit"]) == ([run], [0], ["0123456789abcdef"])
    assert [(claim["claim"], claim["verdict"]) for claim in found["claims"]] == [
        (judgement.claim.id, judgement.verdict) for judgement in board.judgements
    ]


def tier_of(folder, run):
    return next(each["tier"] for each in results(folder)["runs"] if each["run_id"] == run)


def test_a_committed_run_is_shipped_and_has_the_authors_for_agents(study, tmp_path, monkeypatch):
    run = study / "results" / run_of(study.parent, "baseline")
    monkeypatch.setattr(archive, "committed_files", lambda folder: {(run / SUMS).resolve()})
    export(TINY, tmp_path / "crate")
    assert tier_of(tmp_path / "crate", run.name) == "shipped"
    things = entities(tmp_path / "crate")
    assert things[f"#run-{run.name}"]["agent"] == things["./"]["author"]


def test_a_run_is_verified_once_trained_anew_and_found_equal_to_what_it_is_now(study, tiny, tmp_path):
    run = archive.Run(study / "results" / run_of(study.parent, "baseline"))
    for agrees, tier in ((True, "verified"), (False, "re-run here")):
        record_retrained(study, run, run, agrees, "as it came")
        export(TINY, tmp_path / "crate")
        assert tier_of(tmp_path / "crate", run.run_id) == tier
        (record,) = (each for each in results(tmp_path / "crate")["runs"] if each["run_id"] == run.run_id)
        assert record["retrained"]["words"] == "as it came"
    record_retrained(study, run, run, True, "as it came")
    entry = read_retrained(study)[run.run_id].model_dump()
    (study / "retrained.json").write_text(json.dumps({run.run_id: {**entry, "metrics": "of other results"}}))
    export(TINY, tmp_path / "crate")
    assert tier_of(tmp_path / "crate", run.run_id) == "re-run here"


# ---- where it is written -------------------------------------------------------------------------


def test_an_earlier_export_is_renewed_and_nothing_else_is_written_over(study, tmp_path):
    folder = tmp_path / "crate"
    export(TINY, folder)
    export(TINY, folder)
    (folder / "mine.txt").write_text("a note")
    with pytest.raises(OutputError, match=r"holds mine\.txt"):
        export(TINY, folder)
    (folder / "mine.txt").unlink()
    (folder / "params/claims.yaml").write_text("changed by hand")
    with pytest.raises(OutputError, match=r"holds params/claims\.yaml"):
        export(TINY, folder)
    with pytest.raises(OutputError, match="among the results"):
        export(TINY, study / "crate")
    with pytest.raises(OutputError, match="no folder"):
        export(TINY, folder / "LICENSE")
    assert {path.name for path in tmp_path.iterdir()} == {"crate", "reports"}


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "list"])
def test_links_empty_folders_pipes_and_another_list_of_sums_are_not_written_over(kind, study, tmp_path):
    folder = tmp_path / "crate"
    if kind != "list":
        export(TINY, folder)
    mine = folder / (SUMS if kind == "list" else "mine")
    {
        "link": lambda: mine.symlink_to(ROOT / "docs"),
        "folder": mine.mkdir,
        "pipe": lambda: os.mkfifo(mine),
        "list": lambda: [folder.mkdir(), mine.write_text("of my own")],
    }[kind]()
    with pytest.raises(OutputError, match=f"holds {mine.name}, which no export left"):
        export(TINY, folder)
    assert os.path.lexists(mine)


def test_an_earlier_export_is_put_back_where_the_new_one_cannot_take_its_place(study, tmp_path, monkeypatch):
    folder = tmp_path / "crate"
    export(TINY, folder)
    before, rename = files(folder), Path.rename

    def fails(self, target):
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(KeyboardInterrupt):
        export(TINY, folder)
    assert files(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"crate", "reports"}


def test_a_file_here_that_bears_a_profiles_name_stays_here_and_so_does_what_is_hidden(study, tmp_path, monkeypatch):
    home = tmp_path / "home"
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, home / name)
    shutil.copyfile(TINY, home / "params/profiles/tiny.yaml")
    (home / "params/.draft.yaml.swp").write_text("private")
    (home / "tiny").write_text("private")
    monkeypatch.setenv("SIAMESE_HOME", str(home))
    monkeypatch.chdir(home)
    export("tiny", tmp_path / "crate")
    here = {name for name in files(tmp_path / "crate") if name.startswith("params/")}
    shown = {path for path in (home / "params").rglob("*.*") if path.is_file() and not path.name.startswith(".")}
    assert here == {path.relative_to(home).as_posix() for path in shown}


def test_damaged_notebooks_are_left_out_and_named(study, tmp_path):
    (study / "notebooks/02_baseline.ipynb").write_bytes(b'{"cells": [\xff')
    (study / "notebooks/03_embedding.ipynb").mkdir()
    os.mkfifo(study / "notebooks/04_mlp.ipynb")
    (study / "claims.csv").write_bytes(b"\xff")
    notes = export(TINY, tmp_path / "crate")
    damaged = ("02_baseline", "03_embedding", "04_mlp")
    assert {f"left out: {name}.ipynb: not a notebook that can be read" for name in damaged} <= {*notes}
    assert "its report is older than its runs: `siamese report` renews it" in notes
    assert [path.name for path in (tmp_path / "crate").rglob("*.ipynb")] == ["01_dataset.ipynb"]


def test_a_damaged_record_of_trainings_anew_is_named_where_it_is(study, tmp_path):
    (study / "retrained.json").write_text("{")
    with pytest.raises(ResultsError, match=re.escape(str(study / "retrained.json"))):
        export(TINY, tmp_path / "crate")


def test_a_profile_without_runs_is_one_sentence(reports, tmp_path):
    with pytest.raises(ResultsError, match="no run of the profile tiny is in"):
        export(TINY, tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


def test_the_command_says_what_is_in_it(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["siamese", "export", "-p", str(TINY), "-o", str(tmp_path / "crate")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert f"{tmp_path / 'crate'}: 2 runs, {len(files(tmp_path / 'crate'))} files, " in capsys.readouterr().out


# ---- by the rules of others ----------------------------------------------------------------------


def codecheck(folder):
    return yaml.safe_load((folder / "codecheck.yml").read_text(encoding="utf-8"))


def test_codecheck_yml_has_the_fields_of_its_specification(crate):
    """https://codecheck.org.uk/spec/config/1.0/; who checks adds `codechecker` and `report`: nobody is invented."""
    folder = crate[0]
    assert (folder / "codecheck.yml").read_text(encoding="utf-8").startswith("---\n")
    found = codecheck(folder)
    assert found.keys() == {"version", "paper", "manifest", "summary"}
    assert found["version"] == "https://codecheck.org.uk/spec/config/1.0/"
    assert found["paper"].keys() == {"title", "authors", "reference"}
    assert found["paper"]["reference"].startswith("https://")
    assert all(author.keys() == {"name"} for author in found["paper"]["authors"])
    assert {Path(item["file"]).name for item in found["manifest"]} == set(MADE)
    for item in found["manifest"]:
        assert item.keys() == {"file", "comment"}
        assert (folder / item["file"]).is_file()
    assert "siamese verify --profile tiny --retrain 3" in found["summary"]


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["ro-crate-1.1", "process-run-crate"])
def test_a_public_validator_accepts_it(crate, tmp_path, profile):
    """All that is required, and all that is recommended but for what is not known; its context is in its cache."""
    if not (validator := shutil.which("rocrate-validator")):
        pytest.skip("no rocrate-validator: `pip install roc-validator` in an environment of its own, on the PATH")
    report = tmp_path / "validation.json"
    command = [validator, "-y", "validate", "--offline", "-p", profile, "-l", "recommended", "-f", "json", "-o", report]
    done = subprocess.run([*command, "--no-paging", crate[0]], capture_output=True, text=True)
    if "not available in the HTTP cache" in done.stdout + done.stderr:
        pytest.skip("rocrate-validator has no cache of contexts: `rocrate-validator cache warm` once")
    issues = json.loads(report.read_text(encoding="utf-8"))["issues"]
    wrong = {(issue["severity"], issue["message"]) for issue in issues if issue["message"] not in NOT_KNOWN}
    # whose run it is that was trained here is not known either
    assert wrong <= {("RECOMMENDED", "The Action SHOULD have an agent that is a Person or Organization")}
