"""The network in the page: it gives what Keras gives, and a reader can draw for it and play against it."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from browser import DESK, EVERY_LOOK, PHONE, check_report, chromium, draw_stroke, opened, violations
from bs4 import BeautifulSoup
from conftest import ROOT
from made_up_report import empty_reports, executed_notebooks
from PIL import Image, ImageDraw

from siamese_utils.evaluation.accuracy import embed, predict_episodes
from siamese_utils.inference.one_shot import OneShot
from siamese_utils.inference.preprocess import drawing
from siamese_utils.models.by_numpy import load_network
from siamese_utils.report import network
from siamese_utils.report.page import build_report
from siamese_utils.training.runs import Run

BEYOND = ROOT / "reports" / "laptop" / "beyond"
SIDE = 280
T, HOOK = [(60, 60), (220, 60), (140, 60), (140, 230)], [(80, 220), (80, 60), (200, 60), (200, 140), (90, 140)]


def with_weights(folder):
    """Give a reports folder the one run whose weights the page needs."""
    (weights,) = BEYOND.glob("beyond-3-minutes-*/shipped.keras")
    shutil.copytree(weights.parent, folder / "laptop" / "beyond" / weights.parent.name)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A made-up report with the network in it."""
    reports = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch:
        empty_reports(reports, patch)
        with_weights(reports)
        return build_report(executed_notebooks(reports))


@pytest.fixture(scope="module")
def data(path):
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    return json.loads(page.find("script", id="network").string)


@pytest.fixture(scope="module")
def shipped():
    """The same network as a user loads it."""
    (weights,) = BEYOND.glob("beyond-3-minutes-*/shipped.keras")
    return OneShot.load(weights)


@pytest.fixture(scope="module")
def model():
    """The model as Keras loads it."""
    return Run(shipped_file().parent).model(compile=False)


@pytest.fixture(scope="module")
def split():
    return network.characters().resized(28)


@pytest.fixture(scope="module")
def by_keras(model, split):
    """Keras's embeddings of all the page's characters, (images, d)."""
    return embed(model, split.flat)


@pytest.fixture
def desk(path):
    with chromium(viewport=DESK) as browser, opened(browser, path) as page:
        page.set_default_timeout(60_000)
        yield page


def cosines(query, support):
    units = [each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (query, support)]
    return units[1] @ units[0]


def ink_of(page, pad):
    """What is on a pad, (SIDE, SIDE) uint8, 0 ink to 255 paper."""
    url = page.locator(".pad canvas").nth(pad).evaluate("canvas => canvas.toDataURL()")
    return 255 - np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))[..., 3]


def draw(page, pad, points):
    """One stroke by mouse."""
    draw_stroke(page, page.locator(".pad canvas").nth(pad), points, SIDE)


def likeness(page):
    """The similarity that the page states, and its two parts in %."""
    said = page.locator("#likeness")
    page.wait_for_function("() => /Similarity/.test(document.querySelector('#likeness').textContent)")
    words = said.inner_text()
    return words, float(re.search(r"Similarity ([\d.]+):", words).group(1))


# ---- the numbers ---------------------------------------------------------------------------------


def shipped_file():
    (weights,) = BEYOND.glob("beyond-3-minutes-*/shipped.keras")
    return weights


def test_the_browser_gives_what_keras_gives_and_ranks_alike(desk, data, model, split, by_keras):
    """Embeddings of every character of the page to 1e-5, and of noise; every ranking but among equals."""
    count = len(by_keras)
    assert count >= 200
    pixels = desk.evaluate("count => Array.from({length: count}, (_, i) => [...siamese.pixels(i)])", count)
    np.testing.assert_array_equal(np.array(pixels), split.flat.reshape(count, -1))
    found = desk.evaluate("images => images.map(each => [...siamese.embed(each)])", pixels)
    np.testing.assert_allclose(np.array(found), by_keras, atol=1e-5)
    noise = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    of_noise = desk.evaluate("images => images.map(each => [...siamese.embed(each)])", noise.reshape(5, -1).tolist())
    np.testing.assert_allclose(np.array(of_noise), embed(model, noise), atol=1e-5)

    assert len(data["episodes"]) == network.EPISODES
    asked = """([vectors, episodes]) => episodes.map(({query, support}) =>
        support.map(each => siamese.similarity(vectors[query], vectors[each])))"""
    for episode, values in zip(data["episodes"], desk.evaluate(asked, [found, data["episodes"]]), strict=True):
        expected = cosines(by_keras[episode["query"]], by_keras[episode["support"]])
        np.testing.assert_allclose(values, expected, atol=1e-5)
        ranking = np.argsort(-np.array(values), kind="stable")
        assert (np.diff(expected[ranking]) < 1e-5).all()


def test_the_page_states_the_score_that_keras_has_on_its_episodes(path, model, split, by_keras):
    by_class = by_keras.reshape(split.classes, split.drawers, -1)
    right = int(predict_episodes(model, by_class, network.episodes()).sum())
    text = " ".join(BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one(".try").text.split())
    assert f"On the {network.EPISODES} questions of this page, drawn by a fixed seed, it has {right} right." in text
    assert "are not Omniglot" in text
    assert "4.5 % errors" in text


def pictures():
    """Strokes that the preparation treats differently: (SIDE, SIDE) uint8 each."""
    for width, points, light in ((12, T, False), (2, HOOK, False), (40, T, False), (9, [(20, 20), (70, 90)], True)):
        image = Image.new("L", (SIDE, SIDE), 0 if light else 255)
        canvas = ImageDraw.Draw(image)
        canvas.line(points, fill=255 if light else 0, width=width, joint="curve")
        canvas.point([(250, 250), (251, 250)], fill=255 if light else 0)
        yield np.asarray(image)
    yield np.asarray(Image.fromarray(next(pictures())).rotate(7, Image.Resampling.BICUBIC, fillcolor=255))
    framed = next(pictures()).copy()
    framed[:6] = framed[-6:] = framed[:, :6] = framed[:, -6:] = 0
    yield framed


def test_a_drawing_is_prepared_as_in_python(desk):
    """Within half a grey level on average over the 28 × 28 pixels; on what draws here, to the pixel."""
    for image in pictures():
        found = desk.evaluate("grey => [...siamese.drawing(grey, 280)]", image.ravel().tolist())
        difference = np.abs(np.array(found).reshape(28, 28) - drawing(Image.fromarray(image), 28))
        assert difference.mean() < 0.5
    assert desk.evaluate("siamese.drawing(new Uint8Array(280 * 280).fill(255), 280)") is None


def test_no_keras_is_loaded_and_another_network_is_refused():
    program = (
        "import sys, pathlib; from siamese_utils.report import network, page\nnetwork.plan_of(network.load_network("
    )
    program += "pathlib.Path(sys.argv[1]))); sys.exit(bool({'keras', 'tensorflow', 'jax'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program, str(shipped_file())], check=True, cwd=ROOT)
    other = next((ROOT / "reports" / "laptop" / "results").glob("baseline-*/shipped.keras"))
    with pytest.raises(ValueError, match="the page cannot run a network without a layer"):
        network.plan_of(load_network(other))


# ---- drawing -------------------------------------------------------------------------------------


def test_equal_drawings_are_more_alike_than_others_and_mean_what_python_says(desk, shipped):
    draw(desk, 0, T)
    draw(desk, 1, [(x + 4, y - 6) for x, y in T])
    words, same = likeness(desk)
    assert "the same character to the network" in words
    desk.locator(".pad").nth(1).get_by_text("Clear").click()
    desk.get_by_text("Now draw in the other field.").wait_for()
    draw(desk, 1, HOOK)
    words, other = likeness(desk)
    assert other < same
    expected = shipped.compare(*(Image.fromarray(ink_of(desk, pad)) for pad in (0, 1)))
    assert abs(other - expected.similarity) < 0.006
    assert ("two characters" in words) == (not expected.same)
    stated = [float(part) for part in re.findall(r"([\d.]+) %", words)]
    assert np.abs(np.array(stated) - [100 * expected.above_different, 100 * expected.below_same]).max() < 0.2


def test_the_nearest_of_twenty_is_named_and_marked(desk, data, by_keras, shipped):
    desk.locator(".pad").nth(0).get_by_text("Draw for me").click()
    said = desk.locator("#twenty .said")
    desk.wait_for_function("() => /Most like/.test(document.querySelector('#twenty .said').textContent)")
    own = shipped.embed([Image.fromarray(ink_of(desk, 0))])[0]
    best = int(np.argmax(cosines(own, by_keras[data["episodes"][0]["support"]])))
    assert said.inner_text().startswith(f"Most like your drawing: {'ABCDEFGHIJKLMNOPQRST'[best]} (")
    marked = desk.locator("#twenty .tile").evaluate_all("tiles => tiles.map(t => t.classList.contains('best'))")
    assert marked == [number == best for number in range(20)]
    assert desk.locator("#map .said").inner_text() == "Your first drawing is on the map, in the frame."


def test_a_pad_is_drawn_on_by_keyboard_and_by_touch(path):
    with chromium(viewport=PHONE, has_touch=True) as browser, opened(browser, path) as page:
        pad = page.locator(".pad canvas").first
        pad.focus()
        for key in ("ArrowLeft", " ", *["ArrowUp"] * 6, " ", "ArrowRight", "ArrowRight"):
            page.keyboard.press(key)
        page.evaluate("document.activeElement.blur()")
        rows, columns = np.nonzero(ink_of(page, 0) < 128)
        assert (rows.min(), rows.max()) == pytest.approx((140 - 48 - 6, 140 + 6), abs=2)
        assert columns.max() - columns.min() < 16, "a straight line, and the pen is up for the last steps"
        pad.press("Backspace")
        assert (ink_of(page, 0) == 255).mean() > 0.99

        second = page.locator(".pad canvas").nth(1)
        second.scroll_into_view_if_needed()
        frame, touch = second.bounding_box(), page.context.new_cdp_session(page)
        scrolled = page.evaluate("scrollY")
        for kind, part in (("touchStart", 0.2), *(("touchMove", 0.2 + 0.1 * k) for k in range(6)), ("touchEnd", None)):
            points = [] if part is None else [{"x": frame["x"] + 50, "y": frame["y"] + part * frame["height"]}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        rows, _ = np.nonzero(ink_of(page, 1) < 128)
        assert rows.max() - rows.min() > 0.4 * SIDE
        assert page.evaluate("scrollY") == scrolled, "a finger that draws does not move the page"


def test_a_second_finger_draws_nothing(path):
    with chromium(viewport=PHONE, has_touch=True) as browser, opened(browser, path) as page:
        canvas = page.locator(".pad canvas").first
        canvas.scroll_into_view_if_needed()
        frame, touch = canvas.bounding_box(), page.context.new_cdp_session(page)

        def send(kind, *places):
            points = [
                {"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"], "id": number}
                for number, (x, y) in enumerate(places)
            ]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        send("touchStart", (0.2, 0.2))
        send("touchStart", (0.2, 0.2), (0.8, 0.2))
        for part in (0.4, 0.6, 0.8):
            send("touchMove", (0.2, part), (0.8, part))
        send("touchEnd")
        rows, columns = np.nonzero(ink_of(page, 0) < 128)
        assert rows.max() - rows.min() > 0.5 * SIDE
        assert columns.max() < 0.3 * SIDE, "neither a second stroke nor a line between the fingers"


# ---- the game ------------------------------------------------------------------------------------


def test_a_key_held_down_and_two_clicks_answer_one_question_at_most(path):
    with chromium(viewport=DESK) as browser, opened(browser, path) as page:
        page.locator("#game .start").dblclick()
        score = page.locator("#game .score")
        assert score.inner_text().startswith("Question 1 of 10")
        assert page.locator("#game .tiles button:enabled").count() == 20, "the second click answers nothing"
        page.locator("#game .tiles button").first.focus()
        for _ in range(6):
            page.keyboard.down("Enter")
        page.keyboard.up("Enter")
        page.locator("#game .next").wait_for()
        for _ in range(6):
            page.keyboard.down("Enter")
        page.keyboard.up("Enter")
        assert score.inner_text().startswith("Question 2 of 10")
        assert page.locator("#game .tiles button:enabled").count() == 20


def press_key(page, choice):
    """By arrow keys and Enter, or by its letter."""
    if choice % 2:
        page.keyboard.press("ABCDEFGHIJKLMNOPQRST"[choice].lower())
        return
    for _ in range(choice // 10):
        page.keyboard.press("ArrowDown")
    for _ in range(choice % 10):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")


def press_button(page, choice):
    page.locator("#game .tiles button").nth(choice).click()


def test_the_game_is_played_by_keyboard_and_by_mouse_and_counts_right(desk, data, by_keras):
    for number, press in enumerate((press_key, press_button)):
        episodes = data["episodes"][10 * number : 10 * number + 10]
        vectors = [(by_keras[each["query"]], by_keras[each["support"]]) for each in episodes]
        network_right = sum(
            int(cosines(*pair).argmax()) == e["target"] for pair, e in zip(vectors, episodes, strict=True)
        )
        start = desk.locator("#game .start")
        start.focus()
        desk.keyboard.press("Enter")
        mine = 0
        for turn, episode in enumerate(episodes):
            right = turn % 3 != number
            mine += right
            press(desk, episode["target"] if right else (episode["target"] + 5) % 20)
            desk.locator("#game .next").wait_for()
            said = desk.locator("#game .said").inner_text()
            assert said.startswith("Right" if right else "No")
            assert f"it is {'ABCDEFGHIJKLMNOPQRST'[episode['target']]}." in said
            if press is press_key:
                desk.keyboard.press("Enter")
            else:
                desk.locator("#game .next").click()
        desk.locator("#game .end table").wait_for()
        rows = desk.locator("#game .end tbody tr").all_inner_texts()
        assert [row.split("\t")[1] for row in rows] == [f"{mine} of 10", f"{network_right} of 10", "95.5 %"]
        assert 0 < mine < 10


# ---- the page ------------------------------------------------------------------------------------


def test_the_page_is_whole_and_small_enough(path):
    check_report(path, banner=True)
    assert path.stat().st_size < 1.5 * 2**20


def test_the_policy_allows_the_pages_one_script_alone(path):
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    policy = page.find("meta", attrs={"http-equiv": True})["content"]
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-[A-Za-z0-9+/]{43}='; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )
    kinds = [script.get("type") for script in page.find_all("script")]
    assert kinds == ["application/json", None]


@EVERY_LOOK
def test_axe_finds_nothing_before_and_during_a_game(path, context):
    with chromium(**context) as browser, opened(browser, path) as page:
        page.locator(".pad").first.get_by_text("Draw for me").click()
        for press in (None, "#game .start", "#game .tiles button >> nth=3"):
            if press:
                page.locator(press).click()
            assert not violations(page, context=".try")
        page.locator("#game .next").wait_for(timeout=60_000)


def test_without_scripts_the_page_says_so_and_a_print_leaves_it_out(path):
    with chromium(java_script_enabled=False) as browser, opened(browser, path) as page:
        assert page.locator("noscript p").text_content() == "To try it, open this page with JavaScript."
        assert page.locator("noscript p").is_visible()
        assert not page.locator(".try .live").first.is_visible()
        page.emulate_media(media="print")
        assert not page.locator(".try").is_visible()


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_without_the_weights_one_sentence_stands_there(damage, tmp_path, monkeypatch):
    reports = empty_reports(tmp_path, monkeypatch)
    with_weights(reports)
    (weights,) = reports.glob("laptop/beyond/*/shipped.keras")
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes() + b"0")
    page = BeautifulSoup(build_report(executed_notebooks(reports)).read_text(encoding="utf-8"), "html.parser")
    assert len(page.select(".try p")) == 1
    assert "is left out" in page.select_one(".try p").text
    assert page.find("script", id="network") is None
