"""A notebook's output may hold anything: on the page no script of it runs, and nothing of it calls the network."""

import base64
import json
import re

import nh3
import pytest
from browser import DESK, chromium
from bs4 import BeautifulSoup
from made_up_report import NOTES, code, dataset_notebook, display, empty_reports, png, write_notebook
from nbformat.v4 import new_markdown_cell

from siamese_utils.config import load_profile
from siamese_utils.report.page import build_report
from siamese_utils.report.sanitize import sanitize

RUN, AWAY = "window.ran=(window.ran||0)+1", "http://127.0.0.1:9/"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="{RUN}">{{}}</svg>'
ATTACKS = [
    # something runs
    f"<script>{RUN}</script>",
    f"<SCRIPT/x>{RUN}</SCRIPT>",
    f'<script src="{AWAY}a.js"></script>',
    f'<img src="x" onerror="{RUN}">',
    f'<img src="data:image/png;base64,AAAA" onerror={RUN}>',
    f'<body onload="{RUN}">',
    f'<details open ontoggle="{RUN}"><summary>s</summary></details>',
    f'<p style="animation: x 1s" onanimationstart="{RUN}" onmouseover="{RUN}" onfocus="{RUN}" tabindex=1>p</p>',
    f'<input autofocus onfocus="{RUN}">',
    f'<video src="{AWAY}v" onloadstart="{RUN}"></video><audio src="{AWAY}w" onerror="{RUN}"></audio>',
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f"<iframe src=\"javascript:parent.{RUN}\"></iframe>",
    f'<object data="javascript:{RUN}"></object><embed src="javascript:{RUN}">',
    f'<a class="press" href="javascript:{RUN}">a</a>',
    f'<a class="press" href=" &#9;java&#10;script:{RUN}">b</a>',
    f'<a class="press" href="data:text/html,<script>{RUN}</script>">c</a>',
    f'<form action="javascript:{RUN}"><button class="press">d</button></form>',
    f'<form id="f" action="{AWAY}f"></form><button class="press" form="f" formaction="javascript:{RUN}">e</button>',
    f'<math><maction class="press" actiontype="statusline" xlink:href="javascript:{RUN}">f</maction></math>',
    f'<math href="javascript:{RUN}"><mi class="press">g</mi></math>',
    SVG.format(f"<script>{RUN}</script>"),
    SVG.format(f'<a xlink:href="javascript:{RUN}"><text class="press" y="20">h</text></a>'),
    SVG.format(f'<animate onbegin="{RUN}" attributeName="x" dur="1s"/>'),
    SVG.format(f'<foreignObject><img src="x" onerror="{RUN}"></foreignObject>'),
    # it mutates when it is read again
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>"></noscript>',
    f'<template><p title="</template><img src=x onerror={RUN}>"></template>',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUN}&gt;">',
    f'<svg></p><style><a id="</style><img src=1 onerror={RUN}>">',
    f'<form><math><mtext></form><form><mglyph><style></math><img src onerror={RUN}>',
    f'<xmp><p title="</xmp><img src=x onerror={RUN}>"></xmp><textarea></div><img src=x onerror={RUN}>',
    f"<!--><img src=x onerror={RUN}>-->",
    f"<![CDATA[<img src=x onerror={RUN}>]]>",
    f"</div></section></main><script>{RUN}</script>",
    # something is called
    f'<img src="{AWAY}1"><img srcset="{AWAY}2 2x"><picture><source srcset="{AWAY}3"><img src="x"></picture>',
    f'<video poster="{AWAY}4"></video><table background="{AWAY}5"><tr><td background="{AWAY}6">x</td></tr></table>',
    f'<p style="background: url({AWAY}7); list-style: url({AWAY}8); content: url({AWAY}9)">p</p>',
    f'<p style="background-color: red; --x: url({AWAY}10); border-image: image-set(\'{AWAY}11\' 1x)">p</p>',
    f"<style>@import '{AWAY}12'; body {{ background: url({AWAY}13) }}</style>",
    f"<style scoped>@font-face {{ font-family: x; src: url({AWAY}14) }} p {{ font-family: x }}</style>",
    f'<link rel="stylesheet" href="{AWAY}15"><link rel="prefetch" href="{AWAY}16">',
    f'<link rel="preconnect" href="{AWAY}">',
    f'<base href="{AWAY}"><img src="17.png"><meta http-equiv="refresh" content="0;url={AWAY}18">',
    SVG.format(f'<image href="{AWAY}19"/><use href="{AWAY}20#x"/><feImage href="{AWAY}21"/>'),
    f'<iframe src="{AWAY}22"></iframe><object data="{AWAY}23"></object>',
    f'<embed src="{AWAY}24"><input type=image src="{AWAY}25">',
    f'<a class="press" ping="{AWAY}26" href="#here">i</a>',
]  # fmt: skip
# no meta tag of a policy keeps a page from leaving
LEAVES = re.compile("refresh|action=|href=")


def attacked(reports, attacks=ATTACKS):
    """A page of attacks by every way into it: HTML, Markdown, a picture's own code, attributes of pictures."""
    cells = [new_markdown_cell("# Attacks")]
    for attack in attacks:
        cells.append(code("show()", display({"text/html": attack, "text/plain": ""})))
        cells.append(code("show()", display({"text/markdown": attack, "text/plain": ""})))
        cells.append(new_markdown_cell(f"## Part\n\n{attack}\n\nText <b>{attack}</b>"))
    picture = SVG.format(f'<script>{RUN}</script><image href="{AWAY}svg"/>')
    cells.append(code("show()", display({"image/svg+xml": picture, "text/plain": ""})))
    about = {
        "image/png": {"alt": f'"><script>{RUN}</script>', "width": f'1" onload="{RUN}', "notes": [[0, 0, "</img>'"]]}
    }
    cells.append(code("show()", display({"image/png": png(), "text/plain": ""}, **about)))
    cells.append(code("show()", display({"image/png": f'x" onerror="{RUN}" y="', "text/plain": ""})))
    cells.append(code("x", tags=[f'"><img src=x onerror={RUN}>']))
    cells.append(new_markdown_cell(f"[a](javascript:{RUN}) ![b](javascript:{RUN}) $\\href{{javascript:{RUN}}}{{x}}$"))
    write_notebook(reports / "demo" / "notebooks", "00_attacks", cells)
    write_notebook(reports / "demo" / "notebooks", "01_dataset", dataset_notebook())
    return build_report(load_profile("demo"))


@pytest.fixture
def reports(tmp_path, monkeypatch):
    return empty_reports(tmp_path, monkeypatch)


def seen_in_browser(path, *, press):
    """What Chromium does with the page: how often a script ran, what it asked for, what the policy let past."""
    asked, refused, url = [], [], path.resolve().as_uri()
    with chromium(viewport=DESK) as context:
        page = context.new_page()
        page.on("request", lambda r: None if r.url.split("#")[0] == url else asked.append(r.url))
        page.on("requestfailed", lambda r: refused.append(r.url) if r.failure == "csp" else None)
        page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
        page.goto(url)
        page.wait_for_load_state("networkidle")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        if press:
            page.evaluate(
                "document.querySelectorAll('.press, main a:not([href^=http])').forEach(each => each.click?.())"
            )
        page.mouse.move(300, 400)
        page.wait_for_timeout(300)
        ran, there = page.evaluate("[window.ran || 0, location.href]")
        assert there.split("#")[0] == url
    asked = [each for each in asked if not each.startswith("data:")]
    return ran, asked, [each for each in asked if each not in refused]


def test_no_attack_runs_or_calls(reports):
    path = attacked(reports)
    assert seen_in_browser(path, press=True) == (0, [], [])
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    names = [section["id"] for section in page.select("main > section.notebook")]
    assert sorted(names) == ["nb-00_attacks", "nb-01_dataset"], "an output closes no tag but its own"
    for tag in page.select("main *"):
        assert not [name for name in tag.attrs if name.startswith("on")]


def test_a_drawing_within_html_is_said_to_be_left_out(reports):
    drawing = f"before {SVG.format('<g/>')} between <SVG width=1><path/></Svg > after <svg>never closed"
    cells = [code("show()", display({"text/html": drawing})), new_markdown_cell(f"written {SVG.format('')} here")]
    write_notebook(reports / "demo" / "notebooks", "01_dataset", cells)
    text = BeautifulSoup(build_report(load_profile("demo")).read_text(encoding="utf-8"), "html.parser").get_text()
    note = "[left out, not part of this file: a drawing within HTML]"
    words = " ".join(text.split())
    assert f"before {note} between {note} after {note}" in words
    assert f"written {note} here" in words


def test_the_policy_holds_where_the_sanitizer_does_not(reports, monkeypatch):
    for module in ("fragments", "sanitize"):
        monkeypatch.setattr(f"siamese_utils.report.{module}.sanitize", lambda html: html)
    monkeypatch.setattr("siamese_utils.report.fragments.keep_self_contained", lambda _: None)
    path = attacked(reports, [attack for attack in ATTACKS if not LEAVES.search(attack)])
    assert RUN in path.read_text(encoding="utf-8")
    ran, asked, past = seen_in_browser(path, press=False)
    assert (ran, past) == (0, [])
    assert asked, "there was something to refuse"


def test_our_own_script_runs_under_the_policy(reports):
    path = attacked(reports)
    policy = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find("meta", attrs={"http-equiv": True})
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", rules["script-src"])
    with chromium(viewport=DESK) as context:
        page = context.new_page()
        page.goto(path.resolve().as_uri())
        assert page.locator("#search").is_visible()
        page.locator("#search").fill("zeichen")
        page.get_by_text("1 section", exact=True).wait_for()
        page.locator("#search").fill("")
        page.locator("#show-code").click()
        page.locator("#nb-01_dataset .copy").first.click()
        page.get_by_text(re.compile("^(Copied|Selected)$")).wait_for()
        picture = page.locator("#nb-01_dataset img[data-notes]")
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        page.mouse.move(box["x"] + NOTES[0][0] * box["width"], box["y"] + NOTES[0][1] * box["height"])
        assert page.locator(".note").inner_text() == NOTES[0][2]
        picture.click()
        assert page.locator("dialog.large img").is_visible()
        assert len(page.pdf()) > 10_000, "it prints"


@pytest.mark.parametrize(
    "html",
    [
        '<table class="dataframe"><caption>All <small>x</small></caption><thead><tr style="text-align:left">'
        '<th scope="col">a</th></tr></thead><tbody><tr><td data-label="here, train" colspan="2">1'
        "</td></tr></tbody></table>",
        '<details class="finding" open=""><summary>What we found</summary><p>A <q>b</q> <code>c</code></p></details>',
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow><msubsup><mi>x</mi><mn>1</mn><mn>2</mn>'
        '</msubsup><mspace width="1em"></mspace><mo stretchy="false">(</mo></mrow></math>',
        '<div class="banner alert" role="note"><p>a</p></div><li id="claim-x">b</li>',
        f'<img src="data:image/png;base64,{base64.b64encode(b"x").decode()}" alt="a" width="780">',
        '<a href="https://example.org/?a=b&amp;c=d">e</a><a href="../README.md#f">g</a>',
        '<span style="color:red;flex-grow:3">a</span>',
    ],
)  # fmt: skip
def test_what_our_pages_are_made_of_stays(html):
    def tags(text):
        return [(tag.name, tag.attrs) for tag in BeautifulSoup(text, "html.parser").find_all(True)]

    assert tags(sanitize(html)) == tags(html.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))


def test_what_is_sanitized_stays_as_it_is_and_holds_what_utf8_can():
    for attack in ATTACKS:
        once = sanitize(attack)
        assert sanitize(once) == once
        assert nh3.clean(once, tags=set()) == nh3.clean(sanitize(once), tags=set())
    assert sanitize("a\ud83d<b>c</b>") == "a?<b>c</b>"


@pytest.mark.parametrize("notes", ["5", "[5]", '[["a", 1, "b"]]', "[[0, 0, 5]]", "{", "[[0,0]]"])
def test_notes_that_the_page_cannot_read_are_dropped(notes):
    assert "data-notes" not in sanitize(f"<img src='data:image/png;base64,AAAA' data-notes='{notes}'>")
    good = json.dumps(NOTES).replace("'", "&#39;")
    assert "data-notes" in sanitize(f"<img src='data:image/png;base64,AAAA' data-notes='{good}'>")
