"""Figures have labelled axes and come out small, with one seed, with several, and where runs are missing."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment, load_matrix, load_profile, section_experiments
from siamese_utils.data.pairs import draw_pairs
from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.episodes import draw_episodes, is_correct
from siamese_utils.evidence.author_logs import author_log
from siamese_utils.evidence.board import Board
from siamese_utils.evidence.estimates import resolution
from siamese_utils.evidence.first_loss import first_loss_candidates
from siamese_utils.models.siamese import build_model
from siamese_utils.report import plots as figures
from siamese_utils.report import study, table1
from siamese_utils.report.plots import images as pictures
from siamese_utils.report.plots import style
from siamese_utils.report.rendering import piece
from siamese_utils.training import runs as results


@pytest.fixture
def runs(reports, tiny):
    """Two experiments with three seeds, one with a single seed."""
    many = [make_run(name, tiny, s, answers(700 - s)) for name in ("baseline", "mlp") for s in (0, 1, 2)]
    return [*many, make_run("baseline-10k", tiny, 0, answers(720))]


def check(figure):
    """The figure draws without a warning, is no larger than a page can bear, and its axes are labelled."""
    png = style.to_png(figure)
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == style.WIDTH * style.DPI
    assert len(png) < 120_000
    return figure.axes


def words_of(figure):
    """What the legend says."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line_of(ax, colour, number=0):
    """One of an axes's lines of a colour, with data."""
    return [line for line in ax.lines if line.get_color() == colour and len(line.get_xdata()) > 1][number]


def overlapping(texts):
    """The pairs of texts that lie on one another in a figure that has been drawn; a label's line does not count."""
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts if text.get_text()]
    pairs = [(a, b) for place, a in enumerate(boxes) for b in boxes[place + 1 :]]
    return [(one, other) for (one, box), (other, second) in pairs if box.overlaps(second)]


def with_config(run, **profile):
    """The run as if made under a profile with other values."""
    path = run.folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "profile": config["profile"] | profile}))
    return results.Run(run.folder)


def with_history(run, **columns):
    """The run with columns of its history added or replaced."""
    run.history.assign(**columns).to_csv(run.folder / "history.csv", index=False)
    return results.Run(run.folder)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_learning_and_loss_curves_are_labelled_and_share_their_axes(runs, count):
    for draw in (figures.learning_curves, figures.loss_curves):
        axes = check(draw(runs[:count]))
        assert all(ax.get_title("left") for ax in axes)
        assert axes[0].get_ylabel()
        assert "square-root" in axes[-1].get_xlabel()
        assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in axes}) == 1
        assert axes[0].get_xlim() == (0, max(run.history["iteration"].max() for run in runs[:count]))


def test_accuracies_reach_up_to_the_next_multiple_of_20(runs):
    # no row of Table 1; val is 50 % at the end
    (ax,) = figures.learning_curves(runs[-1:]).axes
    assert ax.get_ylim() == (0, 60)
    (ax,) = figures.learning_curves([with_history(runs[-1], val_accuracy=[0.1, 0.4, 0.4, 0.4, 0.4])]).axes
    assert ax.get_ylim() == (0, 40)
    # Table 1 has 73.2
    (ax,) = figures.learning_curves(runs[:1]).axes
    assert ax.get_ylim() == (0, 80)


def test_few_checks_are_marked_and_many_are_not(runs):
    run = runs[-1]
    assert line_of(figures.learning_curves([run]).axes[0], style.BLUE).get_marker() == "o"
    many = pd.concat([run.history.assign(iteration=run.history["iteration"] + 6 * n) for n in range(6)])
    many.to_csv(run.folder / "history.csv", index=False)
    assert not line_of(figures.learning_curves([results.Run(run.folder)]).axes[0], style.BLUE).get_marker()


def test_a_loss_that_never_moves_is_seen_inside_its_panel(runs):
    folder, loss = runs[0].folder, 0.6931472
    steady = runs[0].history.assign(mean_loss=loss, batch_loss=[loss, loss - 1e-7, loss])
    steady.to_csv(folder / "history.csv", index=False)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"first_batch_loss": loss}))
    (ax,) = check(figures.loss_curves([results.Run(folder)]))
    low, high = ax.get_ylim()
    assert low * 1.05 < loss < high / 1.05


def test_a_curve_of_several_seeds_shows_each_and_their_mean(runs):
    low = with_history(runs[0], val_accuracy=[0.1, 0.2, 0.3])
    figure = figures.learning_curves([low, *runs[1:3]])
    assert {"val, each seed", "val, mean"} <= set(words_of(figure))
    (ax,) = figure.axes
    *seeds, mean = [line.get_ydata() for line in ax.lines if line.get_color() == style.BLUE]
    assert seeds[0] == pytest.approx([10, 20, 30])
    assert seeds[1] == pytest.approx([10, 30, 50])
    assert mean == pytest.approx(np.mean(seeds, axis=0))
    assert words_of(figures.learning_curves(runs[:1]))[:2] == ["val", "train"]


def test_the_mean_is_that_of_the_seeds_that_have_come_furthest(runs):
    """One that stops earlier has its thin line, a cross at its end, and no part in the mean."""
    path = runs[0].folder / "history.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")
    behind, one, other = (results.Run(run.folder) for run in runs[:3])
    figure = figures.learning_curves([behind, one, other])
    (ax,) = figure.axes
    lines = [line for line in ax.lines if line.get_color() == style.BLUE]
    assert list(lines[-1].get_xdata()) == [0, 2, 4]
    mean = 50 * (one.history["val_accuracy"] + other.history["val_accuracy"])
    assert lines[-1].get_ydata() == pytest.approx(list(mean))
    (cross,) = [line for line in lines if line.get_marker() == "x"]
    assert list(cross.get_xdata()) == [2]
    assert "val, a seed that has come so far" in words_of(figure)


def test_the_papers_figure_stands_at_the_margin(runs):
    (ax,) = figures.learning_curves(runs[:1]).axes
    assert "paper\n73.2" in [text.get_text() for text in ax.texts]


def test_the_authors_curve_stands_where_its_iterations_are_ours(runs):
    log = author_log(load_experiment("baseline").author.run)
    for profile in (
        {"dataset": "omniglot"},
        {"decay": "cut"},
        {"dataset": "synthetic", "iterations": 5000},
    ):
        (ax,) = figures.learning_curves(
            [with_config(runs[0], **{"decay": None, "dataset": "synthetic"} | profile)]
        ).axes
        assert not any(line.get_color() == style.GREY and len(line.get_xdata()) for line in ax.lines)
    figure = figures.learning_curves([with_config(runs[0], dataset="omniglot", decay="cut")])
    (ax,) = check(figure)
    author = line_of(ax, style.GREY)
    assert list(author.get_xdata()) == list(log["iteration"])
    assert author.get_ydata() == pytest.approx(100 * log["val_accuracy"])
    # and no mark at the margin
    assert [text.get_text() for text in ax.texts] == ["ours stop at 4"]
    assert ax.get_xlim() == (0, 5000)
    assert list(ax.get_xticks()) == [0, 100, 500, 1000, 2000, 5000]
    (ax,) = figures.loss_curves([with_config(runs[1], dataset="omniglot", decay="cut", image_size=105)]).axes
    assert list(line_of(ax, style.GREY).get_ydata()) == list(log["batch_loss"])
    (small,) = figures.loss_curves([with_config(runs[1], image_size=28)]).axes
    assert not any(line.get_color() == style.GREY and len(line.get_xdata()) for line in small.lines)


def test_weights_and_saturation_have_a_line_each_with_a_label_that_can_be_read(runs):
    empty = figures.weight_curves(runs)
    assert not empty.axes
    assert "older runs" in empty.texts[0].get_text()
    weights = [with_history(run, kernel_norm=[20, 10, 9], saturated=[0, 0.1, 0.5 + run.seed / 10]) for run in runs[:6]]
    figure = figures.weight_curves([*weights, runs[6]])
    lengths, saturated = check(figure)
    assert lengths.get_yscale() == "log"
    assert [line.get_ydata()[-1] for line in saturated.lines] == pytest.approx([60, 60])
    for ax in (lengths, saturated):
        assert {text.get_text() for text in ax.texts} == {"Baseline", load_experiment("mlp").label}
        assert not overlapping(ax.texts)
    zeros = figures.weight_curves([with_history(weights[0], kernel_norm=0.0)])
    check(zeros)
    looks = [tuple(style.look_of(n).values()) for n in range(16)]
    assert len(set(looks)) == 16


@pytest.mark.parametrize("draw", [figures.learning_curves, figures.loss_curves, figures.weight_curves])
def test_no_runs_give_an_empty_figure(draw):
    check(draw([]))


def test_learning_rates_that_are_the_same_share_a_line():
    (ax,) = check(figures.learning_rates(section_experiments("learning_rate"), load_profile("paper")))
    assert len(ax.lines) == 4
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax.lines[0].get_ydata()[4000] == pytest.approx(0.05 * 0.0001)


def test_k_way_shows_both_protocols_and_chance(runs):
    (ax,) = check(figures.k_way(results.tidy(runs[:3]), paper={20: 76.4}))
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    words = {handle for handle in ax.get_legend_handles_labels()[1]}
    assert {"author's protocol", "strict protocol", "chance, 1/k", "the paper's Figure 2"} == words


def test_the_differences_to_the_baseline_are_those_of_the_board(reports, tiny, runs):
    rows = Board(tiny.model_copy(update={"seeds": (0, 1, 2)})).rows
    at = pd.DataFrame({"experiment": ["mlp"], "author_difference": [-30.0]})
    figure = figures.differences(rows, iterations=4, at_iteration=at)
    (ax,) = check(figure)
    shown = rows[rows["paper_val"].notna() & (rows["experiment"] != "baseline")]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(shown["label"])
    paper, ours, author = [container.lines[0] for container in ax.containers]
    assert paper.get_xdata() == pytest.approx(shown["paper_difference"])
    assert ours.get_xdata() == pytest.approx(shown["difference"], nan_ok=True)
    assert np.nansum(author.get_xdata()) == -30
    whisker = ax.containers[0].lines[2][0].get_segments()[0][:, 0]
    first = shown.iloc[0]
    half = resolution(first["paper_val"], 73.2)
    assert whisker == pytest.approx([first["paper_difference"] - half, first["paper_difference"] + half])
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["baseline", "3 seeds, 4 it."]
    assert min(text.get_fontsize() for text in [*ax.texts, *ax.get_yticklabels()]) >= 8
    assert not overlapping([*ax.texts, *ax.get_yticklabels()])
    assert ax.get_yticklabels()[-1].get_text() == load_experiment("mlp").label
    told = [words for *_, words in style.notes_of(figure) if "here" in words]
    assert len(told) == 1
    assert "3 seeds, 4 iterations, runs mlp-s0-" in told[0]
    assert len(words_of(figures.differences(rows, iterations=4))) == 2


def test_the_similarities_of_same_and_different_pairs_share_their_axes():
    rng = np.random.default_rng(0)
    panels = {"before": (rng.uniform(0.4, 0.6, 50), rng.uniform(0.4, 0.6, 70)), "after": (np.zeros(5), np.ones(5))}
    before, after = check(figures.similarity_histograms(panels))
    assert (before.get_title("left"), after.get_title("left")) == ("before", "after")
    assert before.get_ylim() == after.get_ylim()
    same, different = (shape.get_paths()[0].vertices for shape in after.collections)
    assert same[same[:, 1] == 100][:, 0].min() == pytest.approx(0.96), "all in the last of 25 bins"
    assert different[different[:, 1] == 100][:, 0].max() == pytest.approx(0.04), "all in the first"
    assert [bool(shape.get_hatch()) for shape in after.collections] == [False, True]
    for x, y in (shape.get_paths()[0].vertices.T for ax in (before, after) for shape in ax.collections):
        assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 == pytest.approx(100 / 25)


def test_first_losses_stand_beside_the_logged_ones_with_labels_apart():
    names = [e.name for e in load_matrix().experiments if e.paper and e.variant != "as run"]
    found = first_loss_candidates(names)
    (ax,) = check(figures.first_loss_scatter(found))
    agree, disagree = ax.lines[1:]
    shown = found[found["described"] & found["logged"].notna()]
    assert list(agree.get_xdata()) == list(shown[shown["fits"]]["expected"])
    assert list(disagree.get_ydata()) == list(shown[~shown["fits"]]["logged"])
    assert {text.get_text() for text in ax.texts} == set(shown["experiment"])
    assert not overlapping(ax.texts)


def test_labels_are_moved_apart_as_little_as_possible():
    assert style.spread([0.5, 0.1], 0.1) == pytest.approx([0.5, 0.1])
    assert style.spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert style.spread([1, 1, 0.2], 0.1) == pytest.approx([0.9, 1, 0.2])
    assert style.spread([], 0.1) == []


def test_a_note_says_where_its_point_is_in_the_picture():
    figure = style.new_figure(3)
    ax = figure.subplots()
    ax.set(xlim=(0, 10), ylim=(1, 100), yscale="log", xlabel="a label, for which room is made", title="a title")
    ax.plot([3], [20], "o", color="red", markersize=9, markeredgewidth=0)
    style.note(ax, 3, 20, "here")
    picture = Image.open(io.BytesIO(style.to_png(figure))).convert("RGB")
    ((x, y, words),) = style.notes_of(figure)
    rows, columns = np.nonzero((np.asarray(picture) == (255, 0, 0)).all(axis=-1))
    assert words == "here"
    assert x * picture.width == pytest.approx(columns.mean(), abs=1.5)
    assert y * picture.height == pytest.approx(rows.mean(), abs=1.5)


def test_the_points_of_a_curve_say_what_they_are(runs):
    figure = figures.learning_curves(runs[:6])
    check(figure)
    notes = style.notes_of(figure)
    assert len(notes) == 18
    assert all(0 < x < 1 and 0 < y < 1 for x, y, _ in notes)
    said = f"Baseline, iteration 2: val 30.0 % (14.5–51.9), seed 0, run {runs[0].run_id}"
    assert said in [words for *_, words in notes]
    figure = figures.loss_curves(runs[:3])
    check(figure)
    assert "Baseline, iteration 2: mean loss 6.000, batch loss 6.000, mean of 3 seeds" in [
        words for *_, words in style.notes_of(figure)
    ]


def test_few_colours_keep_the_palette(runs):
    for figure in (figures.learning_curves(runs), figures.loss_curves(runs)):
        pixels = np.asarray(Image.open(io.BytesIO(style.to_png(figure))).convert("RGB")).reshape(-1, 3).astype(int)
        for colour in (style.INK, style.BLUE, style.ORANGE):
            wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
            assert np.abs(pixels - wanted).max(axis=1).min() <= 8


@pytest.mark.parametrize("name", [e.name for e in load_matrix().experiments if e.variant != "as run"])
def test_the_block_diagram_fits_every_network(name, fresh_keras):
    blank = np.full((105, 105), 255, np.uint8)
    check(pictures.block_diagram(build_model(load_experiment(name), load_profile("paper")), blank, blank))


def test_pictures_of_the_data(characters):
    split = characters.val
    check(pictures.contact_sheet(split))
    check(pictures.drawers_sheet(split, [0, 1]))
    pairs = draw_pairs(split, 8)
    check(pictures.pairs_figure(split, pairs))
    for protocol in ("author", "strict"):
        check(pictures.episode_figure(split, draw_episodes(split, protocol=protocol, n_episodes=1)))


def test_the_words_beside_a_row_of_drawings_are_not_cut(characters):
    train = characters.train
    # one alphabet of many
    long = train.characters[0].rpartition("/")[0]
    renamed = (name.replace(f"{long}/", "Inuktitut_(Canadian_Aboriginal)/") for name in train.characters)
    named = replace(train, characters=tuple(renamed))
    for figure in (pictures.contact_sheet(named), pictures.drawers_sheet(named, [0, 1, 100])):
        # once, as for a page: drawn again, a layout may come out otherwise
        FigureCanvasAgg(figure).draw()
        for ax in figure.axes:
            words = ax.yaxis.label.get_window_extent()
            assert figure.bbox.x0 < words.x0 < words.x1 < ax.get_window_extent().x0


def test_the_answer_of_an_episode_is_framed(characters):
    split = characters.val
    drawn = draw_episodes(split, n_way=5, n_episodes=1, seed=3)
    frames = [ax.spines["top"].get_linewidth() for ax in pictures.episode_figure(split, drawn).axes[1:]]
    assert int(np.argmax(frames)) == drawn.target[0]


def test_an_answered_episode_shows_similarities_choice_and_whether_it_is_right(characters):
    split = characters.val
    drawn = draw_episodes(split, n_way=20, n_episodes=2, seed=3)
    similarities = np.linspace(0.1, 0.5, 40, dtype=np.float32).reshape(2, 20, 1)
    similarities[0, drawn.target[0]] = 0.9
    assert list(is_correct(similarities, drawn)) == [True, False]
    for number, verdict in enumerate(("right", "wrong")):
        figure = pictures.episode_figure(split, drawn, number, similarities)
        cells = check(figure)[1:]
        assert figure.subfigs[1].get_suptitle().endswith(f"the network is {verdict}")
        for way, (ax, value) in enumerate(zip(cells, similarities[number, :, 0], strict=True), 1):
            assert ax.get_xlabel().startswith(f"{way}: {value:.3f}")
            assert ax.patches[1].get_width() == pytest.approx(value)
        (chosen,) = [way for way, ax in enumerate(cells) if len(ax.patches) == 3]
        assert chosen == similarities[number].argmax()
        assert (chosen == drawn.target[number]) == (verdict == "right")
        frames = [ax.spines["top"].get_linewidth() for ax in cells]
        assert int(np.argmax(frames)) == drawn.target[number]
        assert not overlapping([*(ax.xaxis.label for ax in cells), *(ax.title for ax in cells)])
    tie = pictures.episode_figure(split, drawn, 0, np.ones_like(similarities))
    assert "wrong" in tie.subfigs[1].get_suptitle()


# ---- what notebooks call


def test_a_study_refuses_what_it_does_not_know(tiny):
    for words, *arguments in (
        ("no section 'embeding'", "embeding", tiny),
        ("no profile 'demmo'", "embedding", "demmo"),
        ("no experiment 'dense-129'", "embedding", tiny, [], ["dense-129"]),
        ("'zero' is no seed", "embedding", tiny, ["zero"]),
    ):
        with pytest.raises(ParamsError, match=words):
            study.open_study(*arguments)


def test_a_study_that_has_all_its_runs_trains_nothing(reports, tiny, runs, monkeypatch):
    monkeypatch.setattr("siamese_utils.training.loop.load_or_train", lambda *_, **__: pytest.fail("nothing is missing"))
    opened = study.open_study("mlp", tiny)
    assert [run.config["experiment"] for run in opened.run_missing()] == ["baseline", "mlp"]


def test_a_figure_is_shown_with_description_and_origin(reports, tiny, runs, monkeypatch):
    shown = []
    monkeypatch.setattr(study, "display", lambda data, **_: shown.append(data))
    opened = study.open_study("mlp", tiny, [0, 1, 2])
    assert "not Omniglot" in shown.pop().data
    figure = figures.learning_curves(runs[:6])
    opened.show_figure(figure, alt='Curves "of" two', caption="Two.", runs=runs[:6])
    image, caption = shown
    shown_image = BeautifulSoup(image["text/html"], "html.parser").img
    assert shown_image["alt"] == 'Curves "of" two'
    assert [tuple(note) for note in json.loads(shown_image["data-notes"])] == style.notes_of(figure)
    for words in ("Two.", "Profile tiny", "not Omniglot", "seeds 0, 1, 2", "6 runs (", "commit 0123456789"):
        assert words in caption.data
    assert all(run.run_id in caption.data for run in runs[:6])
    assert study.origin(tiny, runs[:1] * 21).count(runs[0].run_id) == 6
    assert "and 15 more)" in study.origin(tiny, runs[:1] * 21)
    with pytest.raises(ParamsError, match="description"):
        opened.show_figure(figure, alt=" ")


def test_a_table_is_shown_with_caption_and_column_scopes(reports, tiny, runs, monkeypatch):
    shown = []
    opened = study.open_study("mlp", tiny)
    monkeypatch.setattr(study, "display", lambda data, **_: shown.append(data))
    frame = table1.readable(opened.board.rows_of(opened.experiments))
    opened.show_table(frame, caption="Accuracies & more", runs=runs[:1])
    assert "<caption>Accuracies &amp; more" in shown[0].data
    assert shown[0].data.count('<th scope="col">') == len(frame.columns)
    words = pd.DataFrame(
        {"what": ["a"], "figure": ["+1.2 (−3 to 4)"], "note": ["as its <abstract> says"], "empty": [""]}
    )
    opened.show_table(words, caption="Notes")
    assert 'class="dataframe plain text-3"' in shown[1].data
    assert "as its &lt;abstract&gt; says" in shown[1].data


def test_a_tables_cells_run_nothing_whatever_they_are(reports, tiny, monkeypatch):
    """Text is escaped in every kind of cell and in headings; numbers and links stay."""
    attack = "<script>alert(1)</script>"
    cells = [attack, (attack,), [attack], {attack: 1}, attack.encode(), Path(attack), 1.5, None, float("nan"), pd.NA]
    frame = pd.DataFrame({attack: pd.Series([*cells, piece("link", "https://a.example", attack)], dtype=object)})
    shown, opened = [], study.open_study("mlp", tiny)
    monkeypatch.setattr(study, "display", lambda data, **_: shown.append(data))
    opened.show_table(frame, caption="Attacks")
    table = shown[-1].data.partition("<caption>")[0] + shown[-1].data.partition("</caption>")[2]
    assert "<script" not in table
    assert table.count("&lt;script&gt;") == 8
    assert [table.count(f"<td>{words}</td>") for words in ("1.5", "–", "None", "&lt;NA&gt;")] == [1, 1, 1, 1]
    assert '<td><a href="https://a.example">' in table


def test_a_point_without_a_place_has_no_note():
    """NaN is no JSON: one such note would stop the page's script."""
    figure = style.new_figure(2)
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1])
    for y in (0.5, np.nan, np.inf):
        style.note(ax, 0.5, y, f"at {y}")
    style.to_png(figure)
    assert [words for *_, words in style.notes_of(figure)] == ["at 0.5"]
