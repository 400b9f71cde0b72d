"""The report: a file with every notebook, which says what its numbers are made of and needs no network."""

import base64
import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import check_report, chromium, opened
from bs4 import BeautifulSoup
from conftest import ROOT
from made_up_report import (
    ALT,
    NOTES,
    TABLE,
    baseline_notebook,
    code,
    display,
    empty_reports,
    executed_notebooks,
    png,
    write_notebook,
)
from nbformat.v4 import new_markdown_cell, new_output

from siamese_utils.config import load_matrix, load_profile, params_dir
from siamese_utils.errors import ResultsError
from siamese_utils.report.links import point_links
from siamese_utils.report.page import build_report
from siamese_utils.report.rendering import TEMPLATES
from siamese_utils.text import duration


@pytest.fixture
def reports(tmp_path, monkeypatch) -> Path:
    return empty_reports(tmp_path, monkeypatch)


@pytest.fixture
def executed(reports):
    return executed_notebooks(reports)


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
    parts = [text_of(heading) for heading in page.select("section:not(.notebook) > h2")]
    assert parts[0] == "Findings in thirty seconds"
    assert parts[-5:] == ["1 Introduction", "2 Related work", "3 Methodology", "5 Conclusion", "References"]
    order = [text_of(section.h2).split()[0] for section in page.select("main > section")]
    assert [number for number in order if number[0].isdigit()] == ["1", "1.1", "2", "3", "4.1", "4.2", "5"]


def test_ids_are_unique_and_every_link_inside_the_page_resolves(page):
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for link in page.select('a[href^="#"]'):
        assert unquote(link["href"][1:]) in ids
    contents = [text_of(link) for link in page.select("nav.toc a")]
    assert contents.count("What to expect") == 2, "headings of the same text in two notebooks"
    assert "Details" not in contents, "two levels"


def test_headings_of_many_notebooks_are_left_out_of_the_contents(executed, reports):
    write_notebook(reports / "demo" / "notebooks", "04_more", [new_markdown_cell("# 4.3\n\n## 7. What to expect")])
    page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    assert "What to expect" not in [text_of(link) for link in page.select("nav.toc a")]
    assert "7. What to expect" in text_of(page.find(id="nb-04_more"))


def test_links_between_notebooks_stay_on_the_page(page):
    links = {text_of(link): link["href"] for link in page.select("#nb-01_dataset p a")}
    assert links["the baseline"] == "#nb-02_baseline"
    assert links["verdict"] == "#02_baseline--verdict"
    assert links["here"] == "#01_dataset--what-to-expect"
    assert links["Omniglot"] == "https://github.com/brendenlake/omniglot"
    assert "nowhere" not in links
    assert "nowhere" in text_of(page.find(id="nb-01_dataset")), "the words stay where a link has no target"


def test_the_header_leads_to_the_code_and_its_documentation():
    soup = BeautifulSoup((TEMPLATES / "header.html.j2").read_text(encoding="utf-8"), "html.parser")
    point_links(soup, "", {}, ROOT / "reports" / "laptop")
    assert {"../../README.md", "../../docs"} <= {link["href"] for link in soup.find_all("a", href=True)}


def test_nothing_is_loaded_from_outside(page):
    assert all(map(page.find_all, ("img", "script", "style"))), "there is something to look at"
    for tag in page.find_all(src=True):
        assert tag["src"].startswith("data:")
    assert [link["href"] for link in page.find_all("link")] == ["data:,"]
    assert all("http" not in script.get_text() for script in page.find_all("script"))
    assert all(
        "url(http" not in style.get_text() and "@import" not in style.get_text() for style in page.find_all("style")
    )
    assert "left out, not part of this file: far away" in text_of(page)


def test_figures_keep_their_alt_text(page):
    described, other = (image for image in page.find_all("img") if "What makes what" not in image["alt"])
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


def test_a_formula_is_mathml_or_shown_as_it_is_written(page, reports):
    inline, block = page.select("#nb-01_dataset math")
    assert (inline["display"], block["display"]) == ("inline", "block")
    assert inline.find("mi", string="a")
    assert block.find("msup")
    assert "$" not in text_of(page.find(id="nb-01_dataset"))
    words = r"$a^b^c$ is wrong, $\sum_k \lVert W_k \rVert^2$ is not"
    write_notebook(reports / "demo" / "notebooks", "00_start", [new_markdown_cell(words)])
    page = BeautifulSoup(build_report(load_profile("demo")).read_text(), "html.parser")
    assert page.select_one("#nb-00_start code.formula").get_text() == "a^b^c"
    assert [bar["stretchy"] for bar in page.select("#nb-00_start mo") if bar.get_text() == "‖"] == ["false", "false"]


def test_a_part_is_open_where_it_comes_first_or_shows_something(executed, reports):
    text = "# 4.3\n\nFirst words.\n\n## 1. Claim\n\nText.\n\n## 2. The run\n\nText."
    cells = [new_markdown_cell(text), code("train()"), new_markdown_cell("## 3. The figure")]
    cells += [code("show()", display({"image/png": png(), "text/plain": "f"}))]
    cells += [new_markdown_cell("## 4. A part", metadata={"tags": ["open"]})]
    write_notebook(reports / "demo" / "notebooks", "04_more", cells)
    page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    parts = page.select("#nb-04_more details.part")
    assert [part.has_attr("open") for part in parts] == [True, False, True, True]
    assert [text_of(part.summary) for part in parts] == ["1. Claim", "2. The run", "3. The figure", "4. A part"]
    assert "train" in text_of(parts[1])


def test_asides_and_questions_are_folded_under_their_titles(executed, reports):
    aside = {"metadata": {"tags": ["aside"]}}
    question = '**Check yourself.** Which?\n\n<details class="choice"><summary>A. This.</summary>Right.</details>'
    cells = [new_markdown_cell("# 4.3\n\n## 1. The result\n\nText.")]
    cells += [new_markdown_cell(f"**{words}.** One.", **aside) for words in ("How to read", "How to compare")]
    cells += [new_markdown_cell("More of it.", **aside), new_markdown_cell("Seen.")]
    cells += [new_markdown_cell(question), new_markdown_cell(question)]
    write_notebook(reports / "demo" / "notebooks", "04_more", cells)
    page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    folds = page.select("#nb-04_more details.fold")
    assert [text_of(fold.summary) for fold in folds] == ["How to read", "How to compare", "Check yourself"]
    assert [len(fold.select(".text-cell")) for fold in folds] == [1, 2, 2]
    assert not any(fold.has_attr("open") for fold in folds)


def test_what_the_top_says_is_not_repeated_and_origins_are_folded(executed, reports):
    about = '<p class="about">Profile demo</p><div class="banner alert">Not the paper’s protocol: small.</div>'
    rule = '<details class="rule"><p class="caption">How a verdict comes about: each claim …</p></details>'
    table = f'{TABLE}<p class="caption table1-legend">Val: new characters.</p>'
    rule += '<p class="caption protocol">Not the paper’s protocol</p>'
    origin = '<p class="caption figure-origin">A figure. <br><small>Profile demo · seed 0</small></p>'
    long = '<table class="dataframe"><caption>All rows. <br><small>Profile demo</small></caption><tbody>'
    long += "<tr><td>1</td></tr>" * 9 + "</tbody></table>"
    outputs = [display({"text/html": html, "text/plain": ""}) for html in (about, table, rule, origin, long)]
    write_notebook(reports / "demo" / "notebooks", "04_more", [new_markdown_cell("# 4.3"), code("x", *outputs)])
    page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    section = page.find(id="nb-04_more")
    assert text_of(page).count("Not the paper’s protocol") == 1
    assert text_of(page).count("How a verdict comes about: each") == 0
    assert section.find("a", href="#verdict-rule")
    assert section.find("a", href="#table-1")
    assert len(page.select("table.table1")) == 1
    assert "Val: new characters." not in text_of(section)
    assert text_of(section.select_one(".figure-origin")) == "A figure. Source Profile demo · seed 0"
    assert text_of(section.select_one(".figure-origin > details.source > span")) == "Profile demo · seed 0"
    assert text_of(section.select_one("details.fold > summary")) == "Table: All rows."


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
    wanted = len(load_matrix().experiments)
    assert rows["Runs"].startswith(f"3 of {wanted} finished missing: baseline-10k (seed 0), ")
    assert rows["Training time"] == "5 min 00 s in total"
    assert rows["Code"] == "0123456789 fedcba9876 with uncommitted changes"
    assert rows["Packages"] == "python 3.11.2, keras 3.12.0 and 3.13.1"
    assert rows["Processor"] == "An Honest Processor, 2 cores"
    assert rows["Finished"] == "2025-11-23 10:00 UTC"
    assert rows["Fingerprint"] == "feedface"


def test_a_run_whose_parts_do_not_agree_is_named_and_counted_nowhere(executed, reports):
    (run,) = (reports / "demo" / "results").glob("mlp-*")
    (run / "history.csv").write_text("<b>nothing</b>")
    with pytest.warns(UserWarning, match="left out"):
        page = BeautifulSoup(build_report(executed).read_text(), "html.parser")
    rows = {text_of(row.th): text_of(row.td) for row in page.select("table.provenance tr")}
    assert rows["Runs"].startswith(f"2 of {len(load_matrix().experiments)} finished")
    assert rows["Left out, as their parts do not agree"] == (
        f"{run.name}: history.csv changed since SHA256SUMS was written"
    )
    banner = text_of(page.find(id="banner-left-out"))
    assert banner.startswith("1 of this profile’s runs left out")
    assert run.name in banner


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


def test_a_page_over_its_size_budget_says_so(executed, caplog, monkeypatch):
    assert build_report(executed).stat().st_size < 200_000
    monkeypatch.setattr("siamese_utils.report.page.SIZE_BUDGET", 10_000)
    assert "save smaller figures, first of all in 01_dataset" in build_report(executed).read_text()
    assert "save smaller figures" in caplog.text


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
        assert not page.locator("#show-code, #search").first.is_visible()
