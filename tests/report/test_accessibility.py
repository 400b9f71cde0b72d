"""The report by keyboard, on a phone, in the dark and by rule: axe-core finds nothing serious or moderate."""

import json

import pytest
from browser import DESK, EVERY_LOOK, PHONE, chromium, opened, violations
from made_up_report import code, display, empty_reports, executed_notebooks, png, write_notebook
from nbformat.v4 import new_markdown_cell

from siamese_utils.report.page import build_report

OPEN_ALL = "() => document.querySelectorAll('details').forEach(fold => { fold.open = true; })"
NOTES = [[0.1, 0.1, "first"], [0.9, 0.9, "second"]]


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A report that has, besides the made-up notebooks, a figure with notes."""
    reports = empty_reports(tmp_path, monkeypatch)
    profile = executed_notebooks(reports)
    image = f"<img src='data:image/png;base64,{png()}' alt='Two dots' width='640' data-notes='{json.dumps(NOTES)}'>"
    cells = [new_markdown_cell("# 4.3 Notes\n\n## A figure"), code("show()", display({"text/html": image}))]
    write_notebook(reports / "demo" / "notebooks", "04_notes", cells)
    return build_report(profile)


@EVERY_LOOK
def test_axe_finds_nothing(path, context):
    with chromium(**context) as browser, opened(browser, path) as page:
        for script in ("() => {}", OPEN_ALL):
            page.evaluate(script)
            page.wait_for_timeout(200)
            assert not violations(page)


def test_a_figure_opens_large_and_escape_closes_it(path):
    with chromium(viewport=PHONE) as browser, opened(browser, path) as page:
        figure, dialog = page.locator("button.zoom").last, page.locator("dialog.large")
        assert figure.bounding_box()["width"] <= PHONE["width"]
        figure.focus()
        page.keyboard.press("Enter")
        assert dialog.is_visible()
        assert dialog.locator("img").get_attribute("alt") == "Two dots"
        assert dialog.locator("img").bounding_box()["width"] > PHONE["width"]
        page.keyboard.press("Escape")
        assert not dialog.is_visible()


def test_notes_on_a_figure_appear_by_pointer_and_by_keyboard(path):
    with chromium(viewport=DESK) as browser, opened(browser, path) as page:
        figure, note = page.locator("button.zoom").last, page.locator(".note")
        figure.scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        box = figure.locator("img").bounding_box()
        page.mouse.move(box["x"] + 0.1 * box["width"] + 5, box["y"] + 0.1 * box["height"])
        assert note.inner_text() == "first"
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert not note.is_visible()
        figure.focus()
        for key, words in (("ArrowRight", "first"), ("ArrowRight", "second"), ("ArrowLeft", "first")):
            page.keyboard.press(key)
            assert note.inner_text() == words
            assert page.locator("[aria-live]").inner_text() == words


def test_search_lists_what_has_the_words_and_escape_clears(path):
    with chromium(viewport=DESK) as browser, opened(browser, path) as page:
        search, shown = page.locator("#search"), page.locator("nav.toc ol > li:visible")
        everything = shown.count()
        search.fill("baseline more")
        page.locator("#search-found:not(:empty)").wait_for()
        assert 0 < shown.count() < everything
        assert page.locator("section.found, details.part.found").count() > 0
        search.press("Escape")
        assert shown.count() == everything
        assert page.locator(".found").count() == 0


def test_code_can_be_copied_and_what_scrolls_is_a_region(path):
    allowed = ["clipboard-read", "clipboard-write"]
    with chromium(viewport=DESK, permissions=allowed) as browser, opened(browser, path) as page:
        page.evaluate(OPEN_ALL)
        page.wait_for_timeout(100)
        button = page.locator(".highlight .copy").first
        button.click()
        page.wait_for_timeout(200)
        assert button.inner_text() in ("Copied", "Selected")
        for box in page.locator("main pre, main .scroll").all():
            overflows = box.evaluate("box => box.scrollWidth > box.clientWidth")
            assert (box.get_attribute("role") == "region") == overflows
