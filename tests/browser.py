"""A report as a reader meets it: opened from disk in Chromium, at a desk and on a phone.

`check_report(path)` is for any report, made up or really executed. SIAMESE_CHROMIUM names a browser off PATH.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
EVERY_LOOK = pytest.mark.parametrize(
    "context",
    [{"viewport": DESK}, {"viewport": DESK, "color_scheme": "dark"}, {"viewport": PHONE}],
    ids=["light", "dark", "phone"],
)
# a page from a file or from this machine, and a browser that asks nobody for updates, accounts or experiments
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
]
FOLLOW_EVERY_LINK = """links => links.map(link => {
  link.click();
  const id = decodeURIComponent(link.hash.slice(1));
  const target = document.getElementById(id);
  if (!target) return `${id}: no such target`;
  const box = target.getBoundingClientRect();
  const atEnd = window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2;
  if (box.height === 0) return `${id}: not visible`;
  if (box.top < -2 || box.top > (atEnd ? window.innerHeight : 120)) return `${id}: lands at ${box.top}`;
  return null;
}).filter(Boolean)"""


def find_chromium() -> str:
    """A Chromium's path; skips the test where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("SIAMESE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        missing = pytest.fail if os.environ.get("SIAMESE_REQUIRE_BROWSER") else pytest.skip
        missing(f"no browser: install one of {', '.join(names)}, or set SIAMESE_CHROMIUM to its path")
    return found


@contextmanager
def chromium(**context) -> Iterator:
    """A Playwright browser context, e.g. chromium(viewport=PHONE, color_scheme="dark")."""
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = find_chromium()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser.new_context(**context)
        finally:
            browser.close()


@contextmanager
def opened(context, path: Path) -> Iterator:
    """The report's page; on leaving, fails for errors in it and for requests beyond the file itself."""
    url, troubles = Path(path).resolve().as_uri(), []
    page = context.new_page()
    page.on("console", lambda m: troubles.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
    page.on(
        "request",
        lambda r: None if r.url.split("#")[0] == url or r.url.startswith("data:") else troubles.append(r.url[:200]),
    )
    page.goto(url)
    page.wait_for_load_state("networkidle")
    yield page
    page.close()
    assert not troubles, "the report reports errors or loads something: " + "; ".join(troubles)


def check_report(path: Path, *, banner: bool | None = None) -> None:
    """Everything that holds for each report; `banner` says whether it must or must not carry a warning."""
    with chromium(viewport=DESK) as context:
        with opened(context, path) as page:
            check_content(page, banner)
            check_links(page, "nav.toc a")
            check_code_toggle(page)
            check_width(page)
            page.set_viewport_size(PHONE)
            check_width(page)
        with opened(context, path) as page:
            page.set_viewport_size(PHONE)
            page.reload()
            check_width(page)
            contents = page.locator("nav.toc details")
            assert contents.get_attribute("open") is None, "the contents are folded away on a phone"
            page.locator("nav.toc summary").click()
            assert page.locator("nav.toc a").first.is_visible()
            page.locator("nav.toc a").nth(1).click()
            assert contents.get_attribute("open") is None, "the contents fold away after a choice"


def check_content(page, banner: bool | None) -> None:
    """Title, Table 1 with rows, provenance, figures that have loaded and are described."""
    assert page.locator("h1").count() == 1
    assert page.title()
    table = page.locator("section[aria-labelledby=scoreboard] table").first
    assert table.is_visible()
    assert table.locator("tbody tr").count() > 0
    assert page.locator("table.provenance").count() == 1
    if banner is not None:
        assert page.locator(".banner").count() > 0 if banner else page.locator(".banner").count() == 0
    for shown in page.locator(".banner").all():
        assert shown.is_visible()
    broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth || !i.alt).map(i => i.alt)")
    assert not broken, f"figures that do not load or have no alt text: {broken}"


def check_links(page, selector: str) -> None:
    """Every link lands: its target is there and scrolls to the top of the window."""
    links = page.locator(selector)
    assert links.count() > 0
    missed = links.evaluate_all(FOLLOW_EVERY_LINK)
    assert not missed, f"links that do not land: {missed}"


def check_code_toggle(page) -> None:
    """Where all parts are open, code is hidden at first, shown by the one button, hidden by it again."""
    code = page.locator("details.code .highlight")
    if not code.count():
        return
    if page.locator("#open-all").is_visible():
        page.locator("#open-all").click()
    button = page.locator("#show-code")
    for shown in (False, True, False):
        assert all(cell.is_visible() == shown for cell in code.all()), f"code is {'not ' * shown}shown"
        button.click()
    button.click()


def check_width(page) -> None:
    """Nothing makes the page itself scroll sideways."""
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window, f"the page is {width} px wide in a window of {window} px"


def violations(page, **options) -> list:
    """What axe finds on a page, minor things aside: rule and first place; options of its run."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="install axe-playwright-python").Axe()
    found = axe.run(page, **options).response["violations"]
    return [(each["id"], each["nodes"][0]["target"]) for each in found if each["impact"] != "minor"]


def draw_stroke(page, canvas, points, side) -> None:
    """One stroke by mouse through points of a canvas, in pixels of its own, of which it has `side` a side."""
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    places = [(frame["x"] + x * frame["width"] / side, frame["y"] + y * frame["height"] / side) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
