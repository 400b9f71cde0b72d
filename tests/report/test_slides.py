"""Slides: chosen cells with speaker's notes, in one file that needs no network, opened in Chromium."""

import os
import re

import nbformat
import pytest
from browser import chromium, opened
from bs4 import BeautifulSoup
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from siamese_utils.config import load_profile
from siamese_utils.errors import DataError, OutputError
from siamese_utils.paths import data_dir
from siamese_utils.report import slides
from siamese_utils.report.batch import notebook_names
from siamese_utils.report.copies import slide_type
from siamese_utils.report.fragments import convert

FILES = {slides.CSS: "", slides.SCRIPT: "", slides.NOTES: "", slides.SPEAKER: "<script>speak()</script>"}
SCREEN = {"width": 1280, "height": 720}
SHOW = "n => { const i = Reveal.getIndices(Reveal.getSlides()[n]); Reveal.slide(i.h, i.v, 99); }"


@pytest.fixture
def reveal(_a_machine_without_data):
    """reveal.js as SIAMESE_REVEAL names it, or as an earlier `siamese slides` fetched it."""
    path = os.environ.get("SIAMESE_REVEAL") or ROOT / "data" / slides.ADDRESS.rpartition("/")[2]
    try:
        return slides.reveal_files(ROOT / path)
    except DataError as error:
        pytest.skip(f"no reveal.js, and tests do not use the network: {error}")


def marked(cell, kind):
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def source(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def small():
    return new_notebook(
        cells=[
            marked(new_markdown_cell("# A deck\n\n$x^2$ and [another notebook](01_dataset.ipynb)"), "slide"),
            marked(new_markdown_cell("*For the speaker.* Ask first."), "notes"),
            new_markdown_cell("not chosen"),
            marked(new_code_cell("1 + 1", id="sum"), "slide"),
            marked(new_markdown_cell("goes on"), "-"),
            marked(new_markdown_cell("later"), "fragment"),
            marked(new_markdown_cell("left out"), "skip"),
        ]
    )


def test_chosen_cells_are_slides_and_nothing_else_is():
    soup = BeautifulSoup(slides.deck(small(), FILES), "html.parser")
    first, second = soup.select(".slides > section")
    assert first.h1.get_text() == "A deck"
    assert first.math
    assert "Ask first." in first.select_one("aside.notes").get_text()
    assert "another notebook" in first.get_text()
    assert not first.find("a")
    assert "1 + 1" in second.get_text()
    assert "goes on" in second.get_text()
    assert second.select_one(".fragment").get_text(strip=True) == "later"
    assert "not chosen" not in soup.get_text()
    assert "left out" not in soup.get_text()


def test_a_cells_output_stands_for_its_code_if_the_code_is_still_the_same():
    figure = new_output("display_data", data={"text/html": "<p>a figure</p>"})
    executed = new_notebook(cells=[new_code_cell("1 + 1", id="sum", outputs=[figure])])
    soup = BeautifulSoup(slides.deck(slides.with_outputs(small(), executed), FILES), "html.parser")
    assert "a figure" in soup.get_text()
    assert "1 + 1" not in soup.get_text()
    executed.cells[0].source = "2 + 2"
    assert slides.with_outputs(small(), executed).cells[3].outputs == []


def test_what_cells_put_out_is_made_safe_and_no_script_ends_the_page():
    notebook = small()
    notebook.cells[0].source += "\n\n<script>alert(1)</script><img src='https://example.org/x.png' alt='x'>"
    page = slides.deck(notebook, {**FILES, slides.SCRIPT: 'const s = "<!-- <script></script>";'})
    soup = BeautifulSoup(page, "html.parser")
    (script,) = soup.find_all("script")
    assert r"\x3c!-- \x3cscript>\x3c/script>" in script.get_text()
    assert "example.org/x.png" not in {str(image.get("src")) for image in soup.find_all("img")}
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src 'sha256-" in policy
    assert "unsafe-inline" not in re.search("script-src[^;]*", policy).group()


def test_speakers_notes_are_not_part_of_the_report(tmp_path):
    nbformat.write(small(), tmp_path / "deck.ipynb")
    section = convert(tmp_path / "deck.ipynb")
    assert "goes on" in section.html
    assert "Ask first" not in section.html


def test_another_file_than_the_published_one_is_refused(tmp_path):
    other = tmp_path / "reveal.tgz"
    other.write_bytes(b"something else")
    with pytest.raises(DataError, match="not reveal"):
        slides.reveal_files(other)
    with pytest.raises(DataError, match="SIAMESE_REVEAL"):
        slides.reveal_files(tmp_path / "missing.tgz")


def test_what_was_fetched_once_is_not_fetched_again(monkeypatch):
    asked = []
    monkeypatch.delenv("SIAMESE_REVEAL", raising=False)
    monkeypatch.setattr(slides, "fetch", lambda url, folder, **_: asked.append((url, folder)) or folder / "none")
    with pytest.raises(DataError):
        slides.reveal_files()
    assert asked == [(slides.ADDRESS, data_dir())]


@pytest.mark.parametrize("name", notebook_names())
def test_every_notebook_has_slides_notes_and_questions(name):
    kinds = [slide_type(cell) for cell in source(name).cells]
    assert kinds.count("slide") >= 8
    assert kinds.count("notes") >= 3
    questions = [cell for cell in source(name).cells if cell.id.startswith("quiz-")]
    assert 1 <= len(questions) <= 2
    for question in questions:
        assert question.source.startswith("**Check yourself.** ")
        choices = BeautifulSoup(question.source, "html.parser").select("details.choice")
        said = [choice.get_text().removeprefix(choice.summary.get_text()) for choice in choices]
        assert [choice.summary.get_text()[:3] for choice in choices] == ["A. ", "B. ", "C. "][: len(choices)]
        assert sum(words.startswith("Right: ") for words in said) == 1
        assert sum(words.startswith("No: ") for words in said) == len(choices) - 1 >= 1


def test_the_answer_key_in_the_plan_is_right():
    key = dict(re.findall(r"^\| (\d\d) \| .* \| ([ABC](?:, [ABC])?) \|", (ROOT / "docs/teaching.md").read_text(), re.M))
    right = {
        name[:2]: ", ".join(
            re.search(r"<summary>([ABC])\. (?:(?!</?details).)*</summary>Right: ", cell.source).group(1)
            for cell in source(name).cells
            if cell.id.startswith("quiz-")
        )
        for name in notebook_names()
    }
    assert key == right


def test_decks_open_without_a_request_and_can_be_gone_through(reveal, reports, tmp_path):
    """Of executed notebooks and of others: next slide, notes, and nothing that is cut."""
    for name, executed in (("00_start_here", None), ("04_regularization", "laptop")):
        notebook = source(name)
        if executed:
            path = ROOT / "reports" / executed / "notebooks" / f"{name}.ipynb"
            notebook = slides.with_outputs(notebook, nbformat.read(path, as_version=4))
        deck = tmp_path / f"{name}.html"
        deck.write_text(slides.deck(notebook, reveal), encoding="utf-8")
        with chromium(viewport=SCREEN) as context, opened(context, deck) as page:
            page.wait_for_function("window.Reveal && Reveal.isReady()")
            count = page.evaluate("Reveal.getTotalSlides()")
            assert count >= 8
            assert page.locator("aside.notes").count() >= 3
            title = page.evaluate("Reveal.getCurrentSlide().innerText")
            page.keyboard.press("ArrowRight")
            assert page.evaluate("Reveal.getIndices().h") == 1
            assert page.evaluate("Reveal.getCurrentSlide().innerText") != title
            for number in range(count):
                page.evaluate(SHOW, number)
                over = page.evaluate(
                    "(s => [s.scrollHeight - s.clientHeight, s.scrollWidth - s.clientWidth])(Reveal.getCurrentSlide())"
                )
                assert max(over) <= 2, (name, number + 1, over)


def test_slides_can_be_read_on_a_dark_screen(reveal, tmp_path):
    deck, seen = tmp_path / "deck.html", {}
    deck.write_text(slides.deck(small(), reveal), encoding="utf-8")
    for scheme in ("light", "dark"):
        with chromium(viewport=SCREEN, color_scheme=scheme) as context, opened(context, deck) as page:
            page.wait_for_function("window.Reveal && Reveal.isReady()")
            style = "s => Math.max(...getComputedStyle(document.querySelector(s[0]))[s[1]].match(/\\d+/g).map(Number))"
            seen[scheme] = [
                page.evaluate(style, [".reveal h1", "color"]),
                page.evaluate(style, ["body", "backgroundColor"]),
            ]
    assert seen["light"][0] < 100 < 200 < seen["light"][1]
    assert seen["dark"][1] < 100 < 200 < seen["dark"][0]


def test_the_speakers_window_shows_the_notes(reveal, tmp_path):
    deck = tmp_path / "deck.html"
    deck.write_text(slides.deck(small(), reveal), encoding="utf-8")
    with chromium(viewport=SCREEN) as context:
        page, troubles = context.new_page(), []
        context.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.goto(deck.as_uri())
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        with context.expect_page() as opening:
            page.keyboard.press("s")
        speaker = opening.value
        speaker.wait_for_selector(".speaker-controls-notes .value:has-text('Ask first.')")
        assert not troubles


def test_slides_are_written_for_the_chosen_notebooks(monkeypatch, reports, tmp_path):
    monkeypatch.setattr(slides, "reveal_files", lambda archive: FILES)
    written = slides.write_slides(load_profile("demo"), tmp_path / "out", notebooks="04")
    assert [path.name for path in written] == ["04_regularization.html"]
    assert "<h1>4.3 Regularization</h1>" in written[0].read_text(encoding="utf-8")


def test_a_notebook_that_was_not_executed_has_slides_without_figures(reports):
    names = ["02_baseline", "04_regularization"]
    executed = reports / "demo" / "notebooks" / "04_regularization.ipynb"
    executed.parent.mkdir(parents=True)
    executed.touch()
    assert slides.executed(load_profile("demo"), names) == {"04_regularization": executed}


def test_a_deck_is_renewed_and_another_file_is_left_alone(monkeypatch, reports, tmp_path):
    monkeypatch.setattr(slides, "reveal_files", lambda archive: FILES)
    profile = load_profile("demo")
    (mine,) = slides.write_slides(profile, tmp_path, notebooks="04")
    mine.write_text(mine.read_text(encoding="utf-8") + "<!-- older -->", encoding="utf-8")
    slides.write_slides(profile, tmp_path, notebooks="04")
    assert "<!-- older -->" not in mine.read_text(encoding="utf-8")
    other = tmp_path / "05_learning_rate.html"
    other.write_text("<h1>my own</h1>", encoding="utf-8")
    mine.unlink()
    with pytest.raises(OutputError, match=r"05_learning_rate.html would be overwritten: remove them"):
        slides.write_slides(profile, tmp_path, notebooks=["04", "05"])
    assert other.read_text(encoding="utf-8") == "<h1>my own</h1>"
    assert not mine.exists(), "nothing is written before all is looked at"
    slides.write_slides(profile, tmp_path, notebooks="05", renew=True)
    assert slides.GENERATOR in other.read_text(encoding="utf-8")


def test_a_folder_in_the_way_and_a_runs_folder_are_refused(monkeypatch, reports, tmp_path):
    monkeypatch.setattr(slides, "reveal_files", lambda archive: FILES)
    (tmp_path / "a" / "04_regularization.html").mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder"):
        slides.write_slides(load_profile("demo"), tmp_path / "a", notebooks="04")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "SHA256SUMS").touch()
    with pytest.raises(OutputError, match="lies in a run's folder"):
        slides.write_slides(load_profile("demo"), tmp_path / "run", notebooks="04")
