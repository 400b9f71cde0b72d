"""The drawing pad of a notebook: what it answers, and what a reader meets, in a bare page and in JupyterLab."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import warnings

import nbformat
import numpy as np
import pytest
from browser import DESK, EVERY_LOOK, PHONE, chromium, draw_stroke, opened, violations
from bs4 import BeautifulSoup
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from siamese_utils.errors import DataError, ParamsError
from siamese_utils.inference import drawing_pad as pads
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.report import network
from siamese_utils.report.sanitize import sanitize

SIDE = pads.SIDE
T, HOOK = [(60, 60), (220, 60), (140, 60), (140, 230)], [(80, 220), (80, 60), (200, 60), (200, 140), (90, 140)]


@pytest.fixture(scope="module")
def pad():
    return pads.drawing_pad()


def as_drawn(image):
    """Ink as the page sends it, of a picture: 0 ink to 255 paper."""
    grey = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return 255 - grey


@pytest.fixture(scope="module")
def drawn():
    """The query of the first episode, which is the same character as one of the twenty, and one by another hand."""
    split, asked = network.characters(), network.episodes()
    return [as_drawn(split.images[tuple(place)]) for place in (asked.query[0], asked.support[0, asked.target[0], 0])]


EMPTY = np.zeros((SIDE, SIDE), np.uint8)

# ---- what the model says -------------------------------------------------------------------------


def test_a_drawing_is_found_as_classify_finds_it(pad, drawn):
    answer = pad.answer({"number": 7, "mode": "find"}, [drawn[0].tobytes()])
    split, asked = network.characters(), network.episodes().support[0, :, 0]
    support = {str(number): split.images[tuple(place)] for number, place in enumerate(asked)}
    ranked = OneShot.load().classify(255 - drawn[0], support)
    assert answer["number"] == 7
    assert len(answer["values"]) == 20
    for name, value in ranked:
        assert answer["values"][int(name)] == pytest.approx(value, abs=1e-6)
    best = [int(name) for name, _ in ranked]
    assert answer["best"] == best[0]
    letters = [f"{chr(ord('A') + i)} ({answer['values'][i]:.2f})" for i in best[:3]]
    assert answer["said"] == f"Most like your drawing: {letters[0]}, then {letters[1]} and {letters[2]}."
    json.dumps(answer)


def test_two_drawings_are_compared_as_compare_does(pad, drawn):
    answer = pad.answer({"number": 1, "mode": "compare"}, [each.tobytes() for each in drawn])
    found = OneShot.load().compare(*(255 - each for each in drawn))
    assert answer["said"].startswith(f"Similarity {found.similarity:.2f}: ")
    assert ("the same character" in answer["said"]) == found.same
    assert answer["said"].endswith(f"{found.words}.")


def test_two_drawings_to_a_model_without_a_calibration_have_a_similarity_alone(drawn, fresh_keras):
    from siamese_utils.models.siamese import build_model

    pad = pads.drawing_pad(build_model("baseline", "demo"))
    answer = pad.answer({"number": 1, "mode": "compare"}, [each.tobytes() for each in drawn])
    assert answer["said"].removeprefix("Similarity ")[4:] == "."


@pytest.mark.parametrize(
    ("asked", "buffers", "said"),
    [
        ({"number": 1, "mode": "find"}, [EMPTY], "Draw a character: the pad is empty."),
        ({"number": 1, "mode": "compare"}, [EMPTY, EMPTY], "Draw in both fields."),
        ({"number": 1, "mode": "compare"}, [EMPTY, EMPTY + 255 * np.eye(SIDE, dtype=np.uint8)], "Now draw in the"),
        ({"number": 1, "mode": "compare"}, [EMPTY], "What came from the page is no drawing"),
        ({"number": 1, "mode": "find"}, [EMPTY[:9]], "What came from the page is no drawing"),
        ({"number": 1, "mode": "guess"}, [EMPTY], "What came from the page is no drawing"),
        ({"number": 1, "mode": ["find"]}, [EMPTY], "What came from the page is no drawing"),
        ({"number": 1, "mode": "find"}, ["text"], "What came from the page is no drawing"),
        (None, [], "What came from the page is no drawing"),
        # the trace of a pen that covers less than half of any pixel
        ({"number": 1, "mode": "find"}, [EMPTY + np.uint8(9)], "the image shows no drawing"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(asked, buffers, said, pad):
    answer = pad.answer(asked, [each if isinstance(each, str) else each.tobytes() for each in buffers])
    assert answer["said"].startswith(said)
    assert "values" not in answer


def test_a_support_of_ones_own_is_a_folder_or_classes_with_their_images(tmp_path, drawn, pad):
    split = network.characters()
    mine = {"tee": [split.images[0, 0], split.images[0, 1]], "hook": [split.images[1, 0]]}
    for name, images in mine.items():
        (tmp_path / "letters" / name).mkdir(parents=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / "letters" / name / f"{number}.png")
    query = 255 - drawn[0]
    expected = dict(OneShot.load().classify(query, mine))
    for support in (mine, tmp_path / "letters", str(tmp_path / "letters")):
        own = pads.drawing_pad(pad.model, support)
        assert own.find(query) == pytest.approx(expected, abs=1e-6)
        assert "built-in" not in repr(own)
        assert sorted(each["label"] for each in own.widget.support) == ["hook", "tee"]
        assert "<img" not in own._repr_mimebundle_()["text/html"]
    first = own.answer({"number": 1, "mode": "find"}, [drawn[0].tobytes()])["said"]
    assert first.startswith(f"Most like your drawing: {max(expected, key=expected.get)} (")


def test_a_class_may_have_a_number_for_its_name_and_a_long_name_leaves_room(drawn, pad):
    split = network.characters()
    own = pads.drawing_pad(pad.model, {0: split.images[0, 0], "x" * 9999: split.images[1, 0]})
    assert [each["label"] for each in own.widget.support] == ["0", "x" * 39 + "…"]
    said = own.answer({"number": 1, "mode": "find"}, [drawn[0].tobytes()])["said"]
    assert " 0 (" in said
    assert len(said) < 120


@pytest.mark.parametrize(
    ("model", "support", "error", "words"),
    [
        (None, {}, DataError, "the support is empty"),
        (None, {"a": []}, DataError, "the support is empty"),
        (None, 5, DataError, "a support is a folder, or each class's name with its image or images"),
        (None, {"a": 5}, DataError, "a support is a folder, or each class's name with its image or images"),
        (None, {"a": [5]}, DataError, "is not a readable image"),
        (None, {"a": np.full((9, 9), 255)}, DataError, "shows no drawing"),
        (None, {str(i): np.eye(99) for i in range(61)}, DataError, "61 classes, and a page has room for 60"),
        ("nowhere.keras", None, DataError, "there is no such file"),
        (5, None, ParamsError, "this is no siamese model"),
    ],
)
def test_a_wrong_argument_is_a_sentence(model, support, error, words):
    with warnings.catch_warnings():
        # of the image of one colour
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=words) as caught:
            pads.drawing_pad(model, support)
    assert "\n" not in str(caught.value)


def test_a_model_of_pictures_is_refused(monkeypatch, pad):
    monkeypatch.setattr(OneShot, "reads_drawings", False)
    with pytest.raises(ParamsError, match="was trained on pictures, and a pad gives drawings"):
        pads.drawing_pad(pad.model)


# ---- what a notebook shows -----------------------------------------------------------------------


def test_in_a_batch_there_is_a_figure_and_no_front_end_is_needed():
    program = (
        "import sys; sys.modules.update(anywidget=None, ipywidgets=None)\nimport siamese_utils as su\n"
        "print(*su.drawing_pad()._repr_mimebundle_().items(), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "text/html" in done.stdout
    assert "widget-view" not in done.stdout


def test_the_figure_comes_through_the_reports_sanitizer_and_says_what_it_is(pad):
    shown = pad._repr_mimebundle_()
    page = BeautifulSoup(sanitize(shown["text/html"]), "html.parser")
    assert page.img["src"].startswith("data:image/png;base64,")
    assert len(page.img["alt"]) > 40
    assert "not Omniglot" in page.text
    assert "Run this cell in JupyterLab to draw" in page.text
    assert pad.model.name in page.text
    assert "not Omniglot" in shown["text/plain"]
    assert set(shown) == {"text/html", "text/plain"}


def test_where_somebody_looks_on_there_is_the_widget_too_or_what_to_install(monkeypatch):
    monkeypatch.setattr(pads, "is_live", lambda: True)
    shown = pads.drawing_pad()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "<img" in shown["text/html"], "what is exported has no widget"
    monkeypatch.setitem(sys.modules, "anywidget", None)
    pads._widget_class.cache_clear()
    shown = pads.drawing_pad()._repr_mimebundle_()
    assert set(shown) == {"text/html", "text/plain"}
    assert "pip install siamese-utils[notebooks]" in shown["text/html"]
    pads._widget_class.cache_clear()


def test_a_message_of_the_page_is_answered_to_the_page(monkeypatch, drawn):
    widget, sent = pads.drawing_pad().widget, []
    monkeypatch.setattr(type(widget), "send", lambda self, content: sent.append(content))
    widget._handle_custom_msg({"number": 3, "mode": "find"}, [memoryview(drawn[0].tobytes())])
    ((answer),) = sent
    assert answer["number"] == 3
    assert len(answer["values"]) == 20


# ---- in a browser --------------------------------------------------------------------------------

# a page with the module alone: it asks Python by window.ask
PUT = """async ([code, style, support]) => {
  const sheet = document.createElement("style");
  sheet.textContent = style;
  document.head.append(sheet);
  const { default: { render } } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const listeners = [], state = { support, about: "A model." };
  const model = {
    get: (name) => state[name],
    on: (_, listener) => listeners.push(listener),
    off: () => {},
    send: async (content, _, buffers) => {
      const bytes = buffers.map((each) => btoa([...new Uint8Array(each)].map((b) => String.fromCharCode(b)).join("")));
      const answer = await window.ask(content, bytes);
      listeners.forEach((listener) => listener(answer));
    },
  };
  render({ model, el: document.querySelector("main") });
}"""


def put(page, pad, asked=None):
    """Show a pad on an empty page; asked: a list that keeps what the page asked for."""

    def ask(content, buffers):
        if asked is not None:
            asked.append(content)
        return pad.answer(content, [base64.b64decode(each) for each in buffers])

    page.expose_function("ask", ask)
    page.evaluate(PUT, [pad.widget._esm, pad.widget._css, pad.widget.support])


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Pad</title><style>@media (prefers-color-scheme: '
    )
    page += "dark) { body { background: #111; color: #eee; } }</style><main><h1>Pad</h1></main></html>"
    path.write_text(page, encoding="utf-8")
    return path


def said(page, words):
    """Wait until the pad says something that holds these words → all of it."""
    place = page.locator(".siamese-pad .said").filter(has_text=words)
    place.wait_for(timeout=60_000)
    return place.inner_text()


def draw(page, number, points):
    draw_stroke(page, page.locator(".siamese-pad canvas").nth(number), points, SIDE)


def check_drawing(page):
    """One drawing among twenty, taken back and cleared; then two."""
    said(page, "Draw a character: the pad is empty.")
    draw(page, 0, T)
    words = said(page, "Most like your drawing")
    tiles = page.locator(".siamese-pad .tile").all_inner_texts()
    values = {text.split()[0]: float(text.split()[1]) for text in tiles}
    assert len(values) == 20
    best = max(values, key=values.get)
    assert words.startswith(f"Most like your drawing: {best} ({values[best]:.2f}), then ")
    assert page.locator(".siamese-pad .tile.best").inner_text().split()[0] == best
    page.get_by_role("button", name="Undo").first.click()
    said(page, "Draw a character: the pad is empty.")
    assert page.locator(".siamese-pad .tile.best").count() == 0
    draw(page, 0, T)
    said(page, "Most like your drawing")
    page.get_by_role("button", name="Compare two drawings").click()
    said(page, "Now draw in the other field.")
    draw(page, 1, HOOK)
    said(page, "two characters to the model")
    page.get_by_role("button", name="Clear").nth(1).click()
    said(page, "Now draw in the other field.")
    page.get_by_role("button", name="Find it among 20").click()
    assert said(page, "Most like your drawing") == words


def test_a_reader_draws_and_python_answers(blank, pad):
    asked = []
    with chromium(viewport=DESK) as browser, opened(browser, blank) as page:
        put(page, pad, asked)
        check_drawing(page)
    assert [each["number"] for each in asked] == list(range(1, len(asked) + 1))


def test_the_pad_is_drawn_on_by_keyboard_and_only_the_last_answer_counts(blank, pad):
    answers = []

    class Slow:
        widget = pad.widget

        def answer(self, content, buffers):
            answers.append(content["number"])
            return {"number": content["number"] - 1, "said": "an answer to an earlier drawing"}

    with chromium(viewport=PHONE) as browser, opened(browser, blank) as page:
        put(page, Slow())
        page.locator(".siamese-pad canvas").first.focus()
        for key in (" ", *["ArrowDown"] * 9, " "):
            page.keyboard.press(key)
        page.wait_for_function("() => document.querySelector('.siamese-pad .said')")
        page.wait_for_timeout(500)
        assert len(answers) >= 2
        assert page.locator(".siamese-pad .said").inner_text() == ""
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@EVERY_LOOK
def test_axe_finds_nothing(blank, pad, context):
    with chromium(**context) as browser, opened(browser, blank) as page:
        put(page, pad)
        draw(page, 0, T)
        said(page, "Most like your drawing")
        assert not violations(page)
        page.get_by_role("button", name="Compare two drawings").click()
        said(page, "Now draw")
        assert not violations(page)


# ---- in JupyterLab -------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a free port of this machine, with a notebook whose one cell is a pad → its address."""
    pytest.importorskip("jupyterlab")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell("import siamese_utils as su\n\nsu.drawing_pad()"), new_code_cell("su.drawing_pad(5)")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "pad.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    options = {"port": port, "port_retries": 0, "token": "", "password": "", "root_dir": tmp_path, "allow_root": True}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--LabApp.news_url="]
    command += [f"--ServerApp.{name}={value}" for name, value in options.items()]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | own | {"PYTHONPATH": paths}, stdout=log, stderr=log
        )
    try:
        for _ in range(600):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/lab/tree/pad.ipynb"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.slow
def test_in_jupyterlab_a_reader_draws_and_a_wrong_argument_is_a_sentence(lab):
    with chromium(viewport=DESK) as browser:
        page, elsewhere = browser.new_page(), []
        here = (lab.partition("/lab/")[0], "data:", "blob:")
        page.on("request", lambda request: None if request.url.startswith(here) else elsewhere.append(request.url))
        page.goto(lab, timeout=120_000)
        page.get_by_text("| Idle").wait_for(timeout=120_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.locator(".siamese-pad").wait_for(timeout=120_000)
        check_drawing(page)
        assert not violations(page, context=".siamese-pad")
        page.locator(".siamese-pad canvas").first.focus()
        for key in (" ", "ArrowDown", "d", "d", "x", "ArrowDown", " "):
            page.keyboard.press(key)
        assert page.locator(".jp-Cell").count() == 2, "JupyterLab's own keys do nothing on a pad"
        assert page.evaluate("document.activeElement.tagName") == "CANVAS"
        error = page.locator(
            ".jp-OutputArea-output[data-mime-type*=stderr], .jp-OutputArea-output[data-mime-type*=error]"
        )
        words = " ".join(error.inner_text().split())
        assert words.startswith("ParamsError: this is no siamese model: give a OneShot")
        assert words.count(". ") == 0, "one sentence, no traceback"
        assert not elsewhere
