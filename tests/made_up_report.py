"""A made-up report: three executed notebooks, the last of which failed, and of runs what a report reads."""

import base64
import io
import json
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from run_on_disk import answers, make_run

from siamese_utils.config import load_profile

ALT = 'Validation accuracy over 20 ways, "strict" & author’s protocol, für Anfänger'
TABLE = """<table class="table1"><thead><tr><th>Group</th><th>Row</th><th>Val</th></tr></thead><tbody>
<tr><th>Baseline</th><td></td><td>73.2</td></tr><tr><th>MLP</th><td>Dense</td><td>34.4</td></tr></tbody></table>"""


NOTES = [[0.25, 0.5, "a 'quoted' \"note\" <b> & 9.5–17.9"]]


def png(width=640, height=400) -> str:
    """A grey picture as base64."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), 200).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def display(data, **metadata):
    return new_output("display_data", data=data, metadata=metadata)


def code(source, *outputs, tags=(), count=1):
    return new_code_cell(source, outputs=list(outputs), execution_count=count, metadata={"tags": list(tags)})


def dataset_notebook():
    frame = '<table border="1" class="dataframe"><thead><tr>' + "".join(f"<th>way {k}</th>" for k in range(30))
    frame += "</tr></thead><tbody><tr>" + "<td>0.123</td>" * 30 + "</tr></tbody></table>"
    return [
        new_markdown_cell(
            "# 1.1 Dataset: Zeichen ✍\n\nSee [the baseline](02_baseline.ipynb), "
            "its [verdict](./02_baseline.ipynb#Verdict), "
            "[Omniglot](https://github.com/brendenlake/omniglot), [here](#What-to-expect), "
            "[nowhere](99_lost.ipynb)."
        ),
        new_markdown_cell(
            "## What to expect\n\nThe distance is $\\sum_i |a_i - b_i|$, and\n\n$$\\eta_0 \\cdot 0.0001^{t/4000}$$"
        ),
        code("profile = 'demo'", tags=["parameters"]),
        code("profile = 'tiny'", tags=["injected-parameters"]),
        code(
            "x = " + "'long' + " * 120 + "''  # one long line",
            new_output("stream", text="an anchor ✓\n" + "wide " * 200),
        ),
        code(
            "show()",
            display({"image/png": png(), "text/plain": "<Figure>"}, **{"image/png": {"alt": ALT, "notes": NOTES}}),
        ),
        code(
            "frame",
            display({"text/html": frame + "<script src='https://cdn.example/x.js'></script>", "text/plain": "f"}),
        ),
        new_markdown_cell("![far away](https://example.com/picture.png)\n\n## Verdict"),
    ]


def baseline_notebook():
    return [
        new_markdown_cell("# 4.1 Baseline model"),
        new_markdown_cell("## What to expect\n\nText.\n\n## Verdict\n\n### Details\n\nMore."),
        code(
            "warn()",
            new_output("stream", name="stderr", text="\x1b[33mslow\x1b[0m start"),
            new_output("stream", text="ok\n"),
        ),
        code("show()", display({"image/png": png(), "text/plain": "<Figure>"})),
    ]


def failed_notebook():
    return [
        new_markdown_cell(
            '<span style="color:red">An Exception was encountered at '
            "'<a href=\"#papermill-error-cell\">In [3]</a>'.</span>",
            metadata={"tags": ["papermill-error-cell-tag"]},
        ),
        new_markdown_cell("# 4.2 Final embedding layer"),
        new_markdown_cell(
            '<span id="papermill-error-cell" style="color:red">'
            "Execution using papermill encountered an exception here and stopped:</span>",
            metadata={"tags": ["papermill-error-cell-tag"]},
        ),
        code(
            "run('dense-128')",
            new_output(
                "error",
                ename="DataError",
                evalue="no <data> here",
                traceback=["\x1b[0;31mDataError\x1b[0m: no <data> here", "\x1b[1;32mline 3\x1b[0m"],
            ),
        ),
    ]


def write_notebook(folder: Path, name: str, cells) -> None:
    notebook = new_notebook(cells=cells)
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def write_run(experiment, profile, seed=0, *, commit="0123456789abcdef", keras="3.12.0", modified=False) -> None:
    """A finished run of 100 seconds on an honest processor."""
    dataset = {"name": "made-up", "synthetic": profile.dataset == "synthetic", "fingerprint": "feedface"}
    provenance = {
        "commit": commit,
        "modified": modified,
        "backend": "tensorflow",
        "device": "CPU",
        "processor": "An Honest Processor",
        "cores": 2,
        "platform": "Linux",
        "python": "3.11.2",
        "packages": {"keras": keras},
        "finished": "2025-11-23T10:00:00+00:00",
    }
    right = answers(profile.episodes // 2, profile.episodes)
    make_run(experiment, profile, seed, right, seconds=100.0, dataset=dataset, provenance=provenance)


# what the sentences of the page need; no run bears the rest
NUMBERS = {
    "counts": {"reproduced": 3, "not run": 1},
    "ruled_out": ["Dense - 128"],
    **dict.fromkeys(("author_there", "paper_above", "best", "leak", "low_checks", "has_author_there")),
}
CLAIMS = '<table><tr><td><a href="02_baseline.ipynb#Verdict">reproduced</a></td></tr></table>'


def empty_reports(folder: Path, monkeypatch) -> Path:
    """Make the folder the place of reports, with a scoreboard that needs no results."""
    stand_ins = {
        "table1_html": lambda board: Markup(TABLE),
        "scoreboard_html": lambda board: Markup(CLAIMS),
        "key_figure": lambda board: "",
        "numbers": lambda board: {"profile": board.profile, **NUMBERS},
        "differences_by_notebook": lambda board: {"02_baseline": "twice as long +0.4"},
        "findings": lambda board: ["Something was learned."],
        "claims_csv": lambda board: "claim,verdict\n",
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(f"siamese_utils.report.page.{name}", stand_in)
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(folder))
    return folder


def executed_notebooks(reports: Path):
    """Make the notebooks and runs of the demo profile, by two commits; return the profile."""
    profile, folder = load_profile("demo"), reports / "demo"
    write_notebook(folder / "notebooks", "01_dataset", dataset_notebook())
    write_notebook(folder / "notebooks", "02_baseline", baseline_notebook())
    write_notebook(folder / "notebooks", "03_embedding", failed_notebook())
    batch = [
        {"notebook": "01_dataset", "status": "ok", "seconds": 3.2, "error": None},
        {"notebook": "02_baseline", "status": "ok", "seconds": 200.0, "error": None},
        {
            "notebook": "03_embedding",
            "status": "failed",
            "seconds": 1.0,
            "error": "DataError: no <data> here",
        },
    ]
    (folder / "batch.json").write_text(json.dumps(batch))
    write_run("baseline", profile)
    write_run("dense-128", profile, keras="3.13.1")
    write_run("mlp", profile, commit="fedcba9876543210", modified=True)
    return profile
