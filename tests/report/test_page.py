"""The report: a file with every notebook, which says what its numbers are made of and needs no network."""

import base64
import io
import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from browser import check_report, chromium, opened
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from siamese_utils.config import load_experiment, load_profile, params_dir
from siamese_utils.errors import ResultsError
from siamese_utils.report.page import build_report
from siamese_utils.text import duration
from siamese_utils.training import runs as results

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
    """A finished run of which only what the report reads is there."""
    folder, key = results.run_folder(load_experiment(experiment), profile, seed)
    folder.mkdir(parents=True)
    results.write_json(folder / "config.json", key)
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
    results.write_json(folder / "metrics.json", {"seconds": 100.0, "dataset": dataset, "provenance": provenance})


CLAIMS = '<table><tr><td><a href="02_baseline.ipynb#Verdict">reproduced</a></td></tr></table>'


@pytest.fixture
def reports(tmp_path, monkeypatch) -> Path:
    """An empty reports folder, and a scoreboard that needs no results."""
    stand_ins = {
        "table1_html": lambda profile: TABLE,
        "counts_html": lambda board: "",
        "scoreboard_html": lambda board: CLAIMS,
        "findings": lambda board: ["Something was learned."],
        "claims_csv": lambda board: "claim,verdict\n",
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(f"siamese_utils.report.page.{name}", stand_in)
    monkeypatch.setenv("SIAMESE_REPORTS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def executed(reports):
    """demo: three notebooks, the last of which failed, and three runs by two commits."""
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


@pytest.fixture
def page(executed) -> BeautifulSoup:
    return BeautifulSoup(build_report(executed).read_text(encoding="utf-8"), "html.parser")


def text_of(tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_every_notebook_is_a_section_in_order_with_its_title(page):
    titles = [text_of(section.h2).removesuffix(" #") for section in page.select("section.notebook")]
    assert titles == ["1.1 Dataset: Zeichen ✍", "4.1 Baseline model", "4.2 Final embedding layer"]
    assert len(page.find_all("h1")) == 1
    assert page.html["lang"] == "en"
    assert "executed in 3 min 20 s" in text_of(page.find(id="nb-02_baseline"))


def test_ids_are_unique_and_every_link_inside_the_page_resolves(page):
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for link in page.select('a[href^="#"]'):
        assert unquote(link["href"][1:]) in ids
    contents = [text_of(link) for link in page.select("nav.toc a")]
    assert contents.count("What to expect") == 2, "headings of the same text in two notebooks"
    assert "Details" not in contents, "two levels"


def test_links_between_notebooks_stay_on_the_page(page):
    links = {text_of(link): link["href"] for link in page.select("#nb-01_dataset p a")}
    assert links["the baseline"] == "#nb-02_baseline"
    assert links["verdict"] == "#02_baseline--verdict"
    assert links["here"] == "#01_dataset--what-to-expect"
    assert links["Omniglot"] == "https://github.com/brendenlake/omniglot"
    assert "nowhere" not in links
    assert "nowhere" in text_of(page.find(id="nb-01_dataset")), "the words stay where a link has no target"


def test_nothing_is_loaded_from_outside(page):
    for tag in page.find_all(src=True):
        assert tag["src"].startswith("data:")
    assert [link["href"] for link in page.find_all("link")] == ["data:,"]
    assert all("http" not in script.get_text() for script in page.find_all("script"))
    assert all(
        "url(http" not in style.get_text() and "@import" not in style.get_text() for style in page.find_all("style")
    )
    assert "left out, not part of this file: far away" in text_of(page)


def test_figures_keep_their_alt_text(page):
    described, other = page.find_all("img")
    assert described["alt"] == ALT
    assert json.loads(described["data-notes"]) == NOTES
    assert "data-notes" not in other.attrs
    assert "4.1 Baseline model" in other["alt"]
    assert "No description has been provided" not in str(page)


def test_pictures_in_the_text_are_embedded(reports, monkeypatch):
    shutil.copytree(params_dir(), reports / "home" / "params")
    (reports / "home" / "notebooks").mkdir()
    (reports / "home" / "notebooks" / "siamese net.png").write_bytes(base64.b64decode(png()))
    monkeypatch.setenv("SIAMESE_HOME", str(reports / "home"))
    text = "![Two branches](siamese%20net.png) ![Outside](../params/profiles/demo.yaml) ![Pasted](attachment:p.png)"
    pasted = new_markdown_cell(text, attachments={"p.png": {"image/png": png()}})
    write_notebook(reports / "demo" / "notebooks", "00_start", [pasted])
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
    assert [picture["alt"] for picture in page.find_all("img")] == ["Two branches", "Pasted"]
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in page.find_all("img"))
    assert "left out, not part of this file: Outside" in text_of(page)


def test_code_and_messages_are_folded_away(page):
    assert len(page.select("details.code")) == 8
    assert not page.select("details[open].code, details[open].stderr")
    assert "Parameters of this run" in text_of(page.find(id="nb-01_dataset"))
    assert page.select_one("details.stderr .ansi-yellow-fg").get_text() == "slow"


def test_a_formula_is_shown_as_it_is_written(page):
    formulas = [code.get_text() for code in page.select("#nb-01_dataset code.formula")]
    assert formulas == [r"\sum_i |a_i - b_i|", r"\eta_0 \cdot 0.0001^{t/4000}"]
    assert "$" not in text_of(page.find(id="nb-01_dataset"))


def test_a_failed_notebook_is_shown_with_its_error(page):
    banner, section = page.find(id="banner-failed"), page.find(id="nb-03_embedding")
    assert "1 of 3 notebooks failed" in text_of(banner)
    assert banner.a["href"] == "#nb-03_embedding"
    assert section.find("a", string="In [3]")["href"] == "#03_embedding--papermill-error-cell"
    assert "failed after 1 s" in text_of(section)
    assert "Execution using papermill encountered an exception here" in text_of(section)
    assert section.select_one(".error .ansi-red-fg").get_text() == "DataError"
    assert "no <data> here" in text_of(section.select_one(".error"))
    assert "\x1b" not in str(page)
    assert page.select_one("nav.toc .badge").get_text() == "failed"


def test_a_failure_is_seen_without_batch_json_and_one_without_a_file_through_it(executed, reports):
    batch = reports / "demo" / "batch.json"
    batch.unlink()
    page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    assert "DataError: no <data> here" in text_of(page.find(id="banner-failed"))
    batch.write_text('[{"notebook": "04_regularization", "status": "failed", "seconds": 1, "error": "no kernel"}]')
    page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    assert "2 of 4 notebooks failed" in text_of(page.find(id="banner-failed"))
    assert "no kernel" in text_of(page.find(id="nb-04_regularization"))


def test_an_error_that_a_cell_is_meant_to_show_is_no_failure(reports):
    error = new_output("error", ename="ParamsError", evalue="no", traceback=["ParamsError: no"])
    write_notebook(reports / "demo" / "notebooks", "00_start", [code("load('x')", error, tags=["raises-exception"])])
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
    assert page.find(id="banner-failed") is None
    assert text_of(page.find(id="nb-00_start").h2).startswith("00_start"), "the file's name where there is no title"


def test_provenance_lists_every_distinct_value(page):
    rows = {text_of(row.th): text_of(row.td) for row in page.select("table.provenance tr")}
    assert rows["Runs"].startswith("3 of 21 finished missing: baseline-10k (seed 0), ")
    assert rows["Training time"] == "5 min 00 s in total"
    assert rows["Code"] == "0123456789 fedcba9876 with uncommitted changes"
    assert rows["Packages"] == "python 3.11.2, keras 3.12.0 and 3.13.1"
    assert rows["Processor"] == "An Honest Processor, 2 cores"
    assert rows["Finished"] == "2025-11-23 10:00 UTC"
    assert rows["Fingerprint"] == "feedface"


@pytest.mark.parametrize(
    ("name", "synthetic", "protocol"),
    [("demo", True, True), ("laptop", False, True), ("paper", False, False)],
)
def test_banners_say_what_the_numbers_are_not(reports, name, synthetic, protocol):
    write_notebook(reports / name / "notebooks", "02_baseline", baseline_notebook())
    page = BeautifulSoup(build_report(load_profile(name)).read_text(), "html.parser")
    assert (page.find(id="banner-synthetic") is not None) == synthetic
    assert (page.find(id="banner-protocol") is not None) == protocol
    assert len(page.select(".banner")) == synthetic + protocol
    if name == "laptop":
        size = load_profile(name).image_size
        assert f"{size}×{size} pixels instead of 105×105" in text_of(page.find(id="banner-protocol"))
    assert text_of(page.select_one("table.provenance td")).startswith("0 of ")


def test_a_page_over_its_size_budget_says_so(executed, caplog):
    text = build_report(executed, size_budget=10_000).read_text()
    assert "save smaller figures, first of all in 01_dataset" in text
    assert "save smaller figures" in caplog.text
    assert build_report(executed).stat().st_size < 200_000


def test_no_notebooks_or_damaged_ones_are_errors_that_say_what_to_do(reports):
    profile, folder = load_profile("demo"), reports / "demo" / "notebooks"
    with pytest.raises(ResultsError, match="run `siamese batch --profile demo` first"):
        build_report(profile)
    write_notebook(folder, "02_baseline", baseline_notebook())
    (folder.parent / "batch.json").write_text("{")
    with pytest.raises(ResultsError, match=r"batch\.json cannot be read .* run the batch again"):
        build_report(profile)
    (folder.parent / "batch.json").unlink()
    (folder / "02_baseline.ipynb").write_text("{}")
    with pytest.raises(ResultsError, match=r"02_baseline\.ipynb cannot be read"):
        build_report(profile)


def test_durations_read_well():
    assert [duration(s) for s in (0.4, 59, 60, 3599.6, 7265)] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "1 h 00 min",
        "2 h 01 min",
    ]


def test_the_report_works_in_a_browser(executed):
    check_report(build_report(executed), banner=True)


def test_the_report_reads_without_javascript(executed):
    path = build_report(executed)
    with chromium(java_script_enabled=False) as context, opened(context, path) as page:
        first = page.locator("details.code").first
        assert not first.locator(".highlight").is_visible()
        first.locator("summary").click()
        assert first.locator(".highlight").is_visible()
        assert page.locator("nav.toc a").first.is_visible()
        assert not page.locator("#show-code").is_visible()
