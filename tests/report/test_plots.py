"""Figures have labelled axes and come out small, with one seed, with several, and where runs are missing."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from run_on_disk import answers, make_run

from siamese_utils.config import load_experiment, load_matrix, load_profile, section_experiments
from siamese_utils.data.pairs import draw_pairs
from siamese_utils.errors import ParamsError
from siamese_utils.evaluation.episodes import draw_episodes
from siamese_utils.evidence.board import Board
from siamese_utils.models.siamese import build_model
from siamese_utils.report import study, table1
from siamese_utils.report.plots import images as pictures
from siamese_utils.report.plots import results as figures
from siamese_utils.report.plots import style
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


@pytest.mark.parametrize("count", [1, 3, 7])
def test_learning_and_loss_curves_are_labelled(runs, count):
    for draw in (figures.learning_curves, figures.loss_curves):
        axes = check(draw(runs[:count]))
        assert all(ax.get_xlabel() and ax.get_title("left") for ax in axes)
        assert axes[0].get_ylabel()


def test_a_loss_that_never_moves_is_seen_inside_its_panel(runs):
    folder, loss = runs[0].folder, 0.6931472
    steady = runs[0].history.assign(mean_loss=loss, batch_loss=[loss, loss - 1e-7, loss])
    steady.to_csv(folder / "history.csv", index=False)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"first_batch_loss": loss}))
    (ax,) = check(figures.loss_curves([results.Run(folder)]))
    low, high = ax.get_ylim()
    assert low * 1.05 < loss < high / 1.05


def test_a_curve_of_several_seeds_shows_their_mean_and_spread(runs):
    figure = figures.learning_curves(runs[:3])
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert "val, mean of the seeds" in words
    assert "lowest to highest seed" in words
    alone = figures.learning_curves(runs[:1])
    assert "95 % interval (Wilson)" in [text.get_text() for text in alone.legends[0].get_texts()]


def test_the_papers_figure_stands_at_the_margin(runs):
    (ax,) = figures.learning_curves(runs[:1]).axes
    assert "paper\n73.2" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("draw", [figures.learning_curves, figures.loss_curves])
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


def test_table_1_as_dots_has_a_line_for_each_row_even_without_runs(reports, tiny, runs):
    (ax,) = check(figures.table1_dots(Board(tiny).rows))
    assert len(ax.get_yticklabels()) == len(load_matrix().experiments)
    assert ax.get_xlabel()
    assert ax.get_ylabel()


@pytest.mark.parametrize("name", [e.name for e in load_matrix().experiments if e.variant != "as run"])
def test_the_block_diagram_fits_every_network(name, fresh_keras):
    blank = np.full((105, 105), 255, np.uint8)
    check(pictures.block_diagram(build_model(load_experiment(name), load_profile("paper")), blank, blank))


def test_pictures_of_the_data(characters):
    split = characters.val
    check(pictures.contact_sheet(split))
    check(pictures.drawers_sheet(split, [0, 1]))
    pairs = draw_pairs(split, 8)
    check(pictures.pairs_figure(split, pairs, np.linspace(0, 1, 8)))
    for protocol in ("author", "strict"):
        check(pictures.episode_figure(split, draw_episodes(split, protocol=protocol, n_episodes=1)))


def test_the_words_beside_a_row_of_drawings_are_not_cut(characters):
    train = characters.train
    long = train.characters[0].rpartition("/")[0]  # one alphabet of many
    renamed = (name.replace(f"{long}/", "Inuktitut_(Canadian_Aboriginal)/") for name in train.characters)
    named = replace(train, characters=tuple(renamed))
    for figure in (pictures.contact_sheet(named), pictures.drawers_sheet(named, [0, 1, 100])):
        FigureCanvasAgg(figure).draw()  # once, as for a page: drawn again, a layout may come out otherwise
        for ax in figure.axes:
            words = ax.yaxis.label.get_window_extent()
            assert figure.bbox.x0 < words.x0 < words.x1 < ax.get_window_extent().x0


def test_the_answer_of_an_episode_is_framed(characters):
    split = characters.val
    drawn = draw_episodes(split, n_way=5, n_episodes=1, seed=3)
    frames = [ax.spines["top"].get_linewidth() for ax in pictures.episode_figure(split, drawn).axes[1:]]
    assert int(np.argmax(frames)) == drawn.target[0]


# ---- what notebooks call


def test_a_study_refuses_what_it_does_not_know(tiny):
    for arguments in (
        ("embeding", tiny),
        ("embedding", "demmo"),
        ("embedding", tiny, [], ["dense-129"]),
        ("embedding", tiny, [], "dense-128"),
        ("embedding", tiny, ["zero"]),
    ):
        with pytest.raises(ParamsError):
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
    assert BeautifulSoup(image["text/html"], "html.parser").img["alt"] == 'Curves "of" two'
    for words in ("Two.", "Profile tiny", "not Omniglot", "seeds 0, 1, 2", "6 runs", "commit 0123456789"):
        assert words in caption.data
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
    words = pd.DataFrame({"what": ["a"], "figure": ["+1.2 (−3 to 4)"], "note": ["as its abstract says"], "empty": [""]})
    opened.show_table(words, caption="Notes")
    assert 'class="dataframe plain text-3"' in shown[1].data
