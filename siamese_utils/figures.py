"""The figures, each a pure function from data to a matplotlib Figure.

Accuracies are drawn in %, 1-shot 20-way unless an axis says otherwise, under the author's protocol unless a
label says "strict". What a colour tells, a line style or a marker tells too. Nothing here trains, loads or
shows anything: `notebook.show_figure` puts a figure with its description and its origin onto the page.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from .tables import architecture, pooled

if TYPE_CHECKING:
    from .data import Split
    from .episodes import Episodes
    from .pairs import Pairs
    from .params import Experiment, LearningRate, Profile
    from .results import Run

WIDTH = 8.0  # inches
DPI = 130
CHANCE = 100 / 20  # % of 20-way episodes that guessing answers correctly
INK, BLUE, ORANGE, GREY = "#21242a", "#1f5a85", "#c0651a", "#8a8f98"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e2dd",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}

P = ParamSpec("P")


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under the project's style, whatever the caller's own settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def to_png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as a PNG of at most 256 colours, which keeps a report of dozens of figures small."""
    with mpl.rc_context(STYLE):
        raw, packed = io.BytesIO(), io.BytesIO()
        figure.savefig(raw, format="png", dpi=dpi, facecolor="white")
    Image.open(raw).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
    return packed.getvalue()


# ---- the network and the data --------------------------------------------------------------------


@_styled
def block_diagram(experiment: Experiment, profile: Profile, left: np.ndarray, right: np.ndarray) -> Figure:
    """The paper's Figure 1: two images, one backbone used twice, the l1 distance, a similarity.

    left, right  (height, width) uint8, the two images that enter; the shapes are the profile's.
    """
    blocks = _blocks(experiment, profile)
    figure, ax = _canvas(3.3)
    ax.set_xlim(0, 100)
    ax.set_ylim(2, 43)
    step = 62 / len(blocks)
    for middle, image, name in ((34.5, left, "X1"), (10.5, right, "X2")):
        inset = ax.inset_axes((0.5, middle - 5, 8.3, 10), transform=ax.transData)
        _ink(inset, image)
        size = profile.image_size
        ax.text(4.7, middle - 6.3, f"{size}×{size}×1", ha="center", va="top", fontsize=7.5)
        ax.text(4.7, middle + 6, name, ha="center", va="bottom", fontsize=8, fontweight="bold")
        _arrow(ax, (9.0, middle), (11.3, middle))
        for number, (words, shape) in enumerate(blocks):
            x = 11.5 + number * step
            _box(ax, x, middle - 6, step - 2, 12, words, size=7 if len(blocks) < 6 else 6)
            ax.text(x + step / 2 - 1, middle - 6.8, shape, ha="center", va="top", fontsize=7.5)
            if number + 1 < len(blocks):
                _arrow(ax, (x + step - 1.9, middle), (x + step - 0.2, middle))
        end = 11.5 + len(blocks) * step - 1.9
        _arrow(ax, (end, middle), (79.5, 22.7 + np.sign(middle - 22.5) * 3.4))
    ax.annotate(
        "", (42, 18.2), (42, 25.2), arrowprops={"arrowstyle": "<->", "color": INK, "linestyle": (0, (3, 2))}
    )
    ax.text(43, 21.7, "the same weights: one backbone, used twice", va="center", fontsize=8, style="italic")
    _box(ax, 75.5, 19.5, 10, 6.5, "l1 distance\n|f(X1) − f(X2)|", size=7)
    ax.text(82, 18.8, f"{experiment.recipe.embedding}", va="top", fontsize=7.5)
    _arrow(ax, (85.6, 22.7), (87.4, 22.7))
    _box(ax, 87.6, 19.5, 11.5, 6.5, "Dense 1, sigmoid\nsimilarity", size=7)
    ax.text(93.3, 18.8, "1: same class\n0: another class", ha="center", va="top", fontsize=7.5)
    return figure


@_styled
def contact_sheet(split: Split, alphabets: int = 6, characters: int = 14, drawer: int = 0) -> Figure:
    """The first characters of some alphabets, spread over the split, all by one drawer; a row an alphabet."""
    names = list(dict.fromkeys(split.alphabets))
    chosen = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, alphabets).astype(int))]
    figure = Figure(figsize=(WIDTH, 0.5 + 0.47 * len(chosen)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(chosen), 1))
    for ax, name in zip(axes, chosen, strict=True):
        members = [i for i, alphabet in enumerate(split.alphabets) if alphabet == name]
        _ink(ax, _row(split.images[members[:characters], drawer], characters))
        _row_label(ax, f"{_short(name.replace('_', ' '), 24)}\n{len(members)} characters")
    return figure


@_styled
def drawers_sheet(split: Split, classes: Sequence[int]) -> Figure:
    """Some characters by every drawer: a row a character, a column a drawer."""
    figure = Figure(figsize=(WIDTH, 0.4 + 0.4 * len(classes)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(classes), 1))
    for ax, number in zip(axes, classes, strict=True):
        _ink(ax, _row(split.images[number], split.drawers))
        _row_label(ax, _class_name(split, number))
    axes[-1].set_xlabel(f"the same character by {split.drawers} drawers, one a column")
    return figure


@_styled
def pairs_figure(split: Split, pairs: Pairs, similarities: np.ndarray | None = None) -> Figure:
    """A few training pairs side by side, negative ones above, positive ones below, with class and drawer.

    similarities  (pairs,) between 0 and 1, what a network answers for each pair, if there is one.
    """
    rows = [np.flatnonzero(pairs.labels == label) for label in (0, 1)]
    columns = max(map(len, rows))
    figure = Figure(figsize=(WIDTH, 3.5), layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))
    axes = np.asarray(figure.subplots(2, columns, squeeze=False))
    for row, numbers, label in zip(axes, rows, ("negative, label 0", "positive, label 1"), strict=True):
        for ax in row[len(numbers) :]:
            ax.set_axis_off()
        for ax, number in zip(row, numbers, strict=False):
            left, right = pairs.left[number], pairs.right[number]
            _ink(ax, _row(split.images[[left[0], right[0]], [left[1], right[1]]], 2))
            words = list(dict.fromkeys(_class_name(split, number) for number in (left[0], right[0])))
            same_image = bool((left == right).all())
            words.append("the very same image" if same_image else f"drawers {left[1] + 1} and {right[1] + 1}")
            ax.set_title(label if ax is row[0] else "", fontsize=9)
            if similarities is not None:
                words.append(f"similarity {similarities[number]:.2f}")
            ax.set_xlabel("\n".join(words), fontsize=7.5)
    return figure


@_styled
def episode_figure(split: Split, episodes: Episodes, number: int = 0) -> Figure:
    """One N-way 1-shot episode: the query beside its support set; the right answer has a thick frame."""
    columns = min(5, episodes.ways)
    rows = -(-episodes.ways // columns)
    figure = Figure(figsize=(WIDTH, 0.3 + 1.02 * rows), layout="constrained")
    query_part, support_part = np.asarray(figure.subfigures(1, 2, width_ratios=(1.6, columns)))
    query = episodes.query[number]
    ax = query_part.subplots()
    _ink(ax, split.images[query[0], query[1]])
    ax.set_title("query", loc="center")
    ax.set_xlabel(f"{_class_name(split, query[0], lines=True)}\ndrawer {query[1] + 1}", fontsize=7.5)
    cells = np.asarray(support_part.subplots(rows, columns, squeeze=False)).ravel()
    for ax in cells[episodes.ways :]:
        ax.set_axis_off()
    for way, ax in enumerate(cells[: episodes.ways]):
        support = episodes.support[number, way, 0]
        same_class, answer = support[0] == query[0], way == episodes.target[number]
        _ink(ax, split.images[support[0], support[1]], frame=4 if answer else 0.8)
        words = "answer" if answer else "same class again" if same_class else ""
        words += ", the query itself" if (support == query).all() else ""
        ax.set_xlabel(f"{words or 'other class'}, drawer {support[1] + 1}", fontsize=7)
    support_part.suptitle(f"support set: {episodes.ways} ways, 1 shot", fontsize=9.5, fontweight="bold")
    return figure


# ---- training ------------------------------------------------------------------------------------


@_styled
def learning_curves(runs: Iterable[Run]) -> Figure:
    """Accuracy at every check, a panel an experiment; the baseline stands in grey in the others' panels.

    One seed: the band is the Wilson 95 % interval of a check's episodes. Several: the line is the mean over
    the seeds, the band reaches from the lowest to the highest. At the right margin: the paper's Table 1.
    """
    by_name = by_experiment(runs)
    figure, panels = _panels(len(by_name))
    baseline = by_name.get("baseline")
    for ax, (name, group) in zip(panels, by_name.items(), strict=True):
        if baseline and name != "baseline":
            reference = _curves(baseline)
            ax.plot(
                reference.index, 100 * reference["val_accuracy"], color=GREY, linewidth=1.2, linestyle=":"
            )
        curve = _curves(group)
        ax.fill_between(
            curve.index, 100 * curve["val_low"], 100 * curve["val_high"], color=BLUE, alpha=0.2, linewidth=0
        )
        ax.plot(curve.index, 100 * curve["train_accuracy"], color=ORANGE, linestyle="--", linewidth=1.3)
        ax.plot(
            curve.index,
            100 * curve["val_accuracy"],
            color=BLUE,
            marker="o",
            markersize=4,
            markevery=max(1, len(curve) // 8),
        )
        ax.axhline(CHANCE, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        experiment = group[0].experiment
        ax.set(ylim=(0, 100), xlabel="iteration", title=experiment.label)
        if experiment.paper:
            _margin_mark(ax, experiment.paper.val, f"paper\n{experiment.paper.val:g}")
        if experiment.paper is None and experiment.author and experiment.author.val:
            _margin_mark(ax, experiment.author.val, f"author\n{experiment.author.val:g}")
    _label_rows(panels, "accuracy in %, 1-shot 20-way")
    several = max((len(group) for group in by_name.values()), default=1) > 1
    _legend(
        figure,
        [
            ({"color": BLUE, "marker": "o"}, "val" + (", mean of the seeds" if several else "")),
            (
                {"color": BLUE, "alpha": 0.2, "linewidth": 7},
                "lowest to highest seed" if several else "95 % interval (Wilson)",
            ),
            ({"color": ORANGE, "linestyle": "--"}, "train"),
            *(
                [({"color": GREY, "linestyle": ":"}, "baseline, val")]
                if baseline and len(by_name) > 1
                else []
            ),
            ({"color": INK, "linestyle": (0, (1, 2)), "linewidth": 0.8}, "chance, 5 %"),
            ({"color": INK, "marker": "<", "linestyle": ""}, "Table 1, val"),
        ],
    )
    return figure


@_styled
def loss_curves(runs: Iterable[Run]) -> Figure:
    """Training loss on a logarithmic axis, a panel an experiment.

    The first loss is that of the very first batch, before any update. The author's stands beside it where one
    was logged and the images have the paper's size, on which the penalty depends.
    """
    by_name = by_experiment(runs)
    figure, panels = _panels(len(by_name))
    authors = 0
    for ax, group in zip(panels, by_name.values(), strict=True):
        curve = _curves(group)
        ax.plot(curve.index, curve["mean_loss"], color=BLUE, marker="o", markersize=3.5, markevery=0.12)
        ax.plot(curve.index, curve["batch_loss"], color=ORANGE, linestyle="--", linewidth=1.1)
        first = float(np.mean([run.metrics["first_batch_loss"] for run in group]))
        ax.plot([0], [first], color=INK, marker="D", markersize=5, linestyle="", clip_on=False)
        experiment = group[0].experiment
        words = f"first loss {first:.3f}"
        at_paper_size = group[0].config["profile"]["image_size"] == 105  # the penalty depends on the size
        if at_paper_size and experiment.author and experiment.author.first_loss:
            ax.plot(
                [0], [experiment.author.first_loss], color=INK, marker="D", markersize=6, fillstyle="none"
            )
            authors += 1
            words += f", author's {experiment.author.first_loss:.3f}"
        ax.text(0.97, 0.95, words, transform=ax.transAxes, ha="right", va="top", fontsize=8)
        ax.set(yscale="log", xlabel="iteration", title=experiment.label)
        low, high = ax.get_ylim()
        ax.set_ylim(low * 0.9, high * (high / low) ** 0.22)
        _plain_log_ticks(ax)
    _label_rows(panels, "loss, penalties included")
    _legend(
        figure,
        [
            ({"color": BLUE, "marker": "o"}, "mean since the last check"),
            ({"color": ORANGE, "linestyle": "--"}, "the check's own batch"),
            ({"color": INK, "marker": "D", "linestyle": ""}, "first loss here"),
            *(
                [({"color": INK, "marker": "D", "linestyle": "", "fillstyle": "none"}, "author's first loss")]
                if authors
                else []
            ),
        ],
    )
    return figure


@_styled
def learning_rates(experiments: Iterable[Experiment], profile: Profile) -> Figure:
    """Adam's learning rate over the iterations; experiments with the same schedule share a line."""
    by_rate: dict[LearningRate, list[str]] = {}
    for experiment in experiments:
        by_rate.setdefault(experiment.recipe.learning_rate, []).append(experiment.label.partition(" (")[0])
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    iterations = np.arange(profile.iterations + 1)
    styles = [(INK, "-", "o"), (BLUE, "--", "s"), (ORANGE, "-.", "^"), (GREY, ":", "D")]
    for number, (rate, labels) in enumerate(by_rate.items()):
        colour, line, marker = styles[number % len(styles)]
        values = np.full(len(iterations), rate.initial)
        if rate.decay_steps and rate.decay_rate:
            values *= rate.decay_rate ** (iterations / profile.scaled(rate.decay_steps))
        ax.plot(iterations, values, color=colour, linestyle=line, marker=marker, markevery=0.25, markersize=5)
        ax.annotate(
            " / ".join(dict.fromkeys(labels)),
            (iterations[-1], values[-1]),
            (8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
    ax.set(yscale="log", xlabel="iteration", ylabel="learning rate (logarithmic)", xlim=(0, iterations[-1]))
    return figure


# ---- results -------------------------------------------------------------------------------------


@_styled
def k_way(scores: pd.DataFrame, paper: dict[int, float] | None = None) -> Figure:
    """The paper's Figure 2: accuracy on val for different k, both protocols, with 95 % intervals.

    scores  one experiment's rows of `results.tidy`; several seeds' episodes are pooled.
    paper   k → accuracy in %, figures of the paper to mark.
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    ax = figure.subplots()
    shown = pooled(scores[scores["split"] == "val"], ["protocol", "ways"])
    styles = {"author": (BLUE, "-", "o", -0.08), "strict": (ORANGE, "--", "s", 0.08)}
    for protocol, (colour, line, marker, shift) in styles.items():
        part = shown[shown["protocol"] == protocol].sort_values("ways")
        accuracy = 100 * part["accuracy"].to_numpy()
        whiskers = np.maximum(
            0, [accuracy - 100 * part["low"].to_numpy(), 100 * part["high"].to_numpy() - accuracy]
        )
        ax.errorbar(
            part["ways"] + shift,
            accuracy,
            yerr=whiskers,
            color=colour,
            linestyle=line,
            marker=marker,
            markersize=5,
            capsize=2.5,
            elinewidth=1,
            label=f"{protocol}'s protocol" if protocol == "author" else "strict protocol",
        )
    ways = np.arange(1, max(20, int(shown["ways"].max()) if len(shown) else 20) + 1)
    ax.plot(ways, 100 / ways, color=INK, linewidth=0.9, linestyle=(0, (1, 2)), label="chance, 1/k")
    if paper:
        ax.plot(
            list(paper), list(paper.values()), color=INK, marker="*", markersize=10, fillstyle="none",
            linestyle="", label="the paper's Figure 2",
        )  # fmt: skip
    ax.set(xlabel="k, classes in the support set", ylabel="accuracy in %, 1-shot k-way, val", ylim=(0, 104))
    ax.set_xticks(np.unique([1, *range(2, int(ways[-1]) + 1, 2)]))
    _legend(figure, handles=ax.get_legend_handles_labels())
    return figure


@_styled
def table1_dots(frame: pd.DataFrame) -> Figure:
    """Table 1 as a dot plot of val accuracy, in the paper's order: paper ○, ours ● with its 95 % interval.

    frame  from `tables.table1`; rows without a run show the paper's figure alone.
    """
    figure = Figure(figsize=(WIDTH, 1.2 + 0.27 * len(frame)), layout="constrained")
    ax = figure.subplots()
    y = np.arange(len(frame))
    ours = frame["ours_val"].astype(float)
    ax.axvline(CHANCE, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="chance, 5 %")
    for place, (paper, here) in enumerate(zip(frame["paper_val"].astype(float), ours, strict=True)):
        if not np.isnan(paper + here):
            ax.plot([paper, here], [place, place], color=GREY, linewidth=0.7, zorder=1)
    ax.plot(
        frame["paper_val"].astype(float), y, color=INK, marker="o", markersize=7, fillstyle="none",
        linestyle="", label="paper, Table 1",
    )  # fmt: skip
    whiskers = [ours - frame["low"].astype(float), frame["high"].astype(float) - ours]
    ax.errorbar(
        ours, y, xerr=np.maximum(0, whiskers), color=BLUE, marker="o", markersize=5, linestyle="",
        capsize=2.5, label="here, author's protocol",
    )  # fmt: skip
    ax.plot(
        frame["strict_val"].astype(float), y, color=ORANGE, marker="D", markersize=3.5, linestyle="",
        label="here, strict protocol",
    )  # fmt: skip
    ax.set_yticks(y, list(frame["label"]))
    ax.set(
        xlim=(0, 100),
        ylim=(len(frame) - 0.4, -0.6),
        xlabel="val accuracy in %, 1-shot 20-way",
        ylabel="row of Table 1",
    )
    for place in np.flatnonzero(frame["group"].ne(frame["group"].shift()))[1:]:
        ax.axhline(place - 0.5, color=GREY, linewidth=0.7)
    _legend(figure, handles=ax.get_legend_handles_labels())
    return figure


# ---- shared by several ---------------------------------------------------------------------------


def by_experiment(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs grouped by their experiment's name, in the order in which they come."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.config["experiment"], []).append(run)
    return groups


def _curves(group: list[Run]) -> pd.DataFrame:
    """History by iteration, mean over the seeds; low and high: Wilson's for one seed, else the extremes."""
    histories = pd.concat([run.history for run in group])
    mean = histories.groupby("iteration").mean()
    if len(group) > 1:
        val = histories.groupby("iteration")["val_accuracy"]
        mean["val_low"], mean["val_high"] = val.min(), val.max()
    return mean


def _blocks(experiment: Experiment, profile: Profile) -> list[tuple[str, str]]:
    """The backbone as a few boxes: (words, output shape), layers of one block together."""
    blocks: list[tuple[list[str], str]] = []
    for layer in architecture(experiment, profile).itertuples():
        name = str(layer.layer)
        if name in ("l1 distance", "similarity", "image"):
            continue
        if name.startswith(("Conv", "Dense", "Flatten")) or not blocks:
            blocks.append(([], ""))
        words, _ = blocks.pop()
        blocks.append(([*words, name], str(layer.output)))
    return [
        ("\n".join(w.replace(", sigmoid", "\nsigmoid").replace(", ReLU", "\nReLU") for w in words), shape)
        for words, shape in blocks
    ]


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    return figure, ax


def _box(ax: Axes, x: float, y: float, width: float, height: float, words: str, size: float) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.8",
            facecolor="#eef3f7",
            edgecolor=INK,
        )
    )
    ax.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=size, linespacing=1.35)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0})


def _ink(ax: Axes, image: np.ndarray, frame: float = 0.8) -> None:
    """A drawing without axes, in a frame; image (height, width) uint8, 0 ink … 255 paper."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set(visible=True, linewidth=frame, edgecolor=INK if frame > 1 else GREY)


def _row(images: np.ndarray, places: int) -> np.ndarray:
    """Images (n, height, width) side by side with thin lines between, filled up with paper to `places`."""
    height, width = images.shape[1:]
    gap = max(1, width // 28)
    row = np.full((height, places * (width + gap) - gap), 255, np.uint8)
    for place, image in enumerate(images[:places]):
        row[:, place * (width + gap) : place * (width + gap) + width] = image
        if place:
            row[:, place * (width + gap) - gap : place * (width + gap)] = 190
    return row


def _row_label(ax: Axes, words: str) -> None:
    ax.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=8)


def _class_name(split: Split, number: int, lines: bool = False) -> str:
    alphabet, _, character = split.characters[number].rpartition("/")
    name = _short(alphabet.replace("_", " "))
    return f"{name}{chr(10) if lines else ', '}no. {character.removeprefix('character')}"


def _short(name: str, longest: int = 19) -> str:
    """An alphabet's name, cut where it would not fit under a picture."""
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip(' (')}…"


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """One wide panel, or two columns of them; panels that are left over are taken out."""
    columns = 1 if count <= 1 else 2
    rows = max(1, -(-count // columns))
    figure = Figure(figsize=(WIDTH, 3.9 if count <= 1 else 0.7 + 2.3 * rows), layout="constrained")
    axes = list(np.asarray(figure.subplots(rows, columns, squeeze=False)).ravel())
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for ax in axes[count:]:
        ax.remove()
    if not count:
        figure.text(0.5, 0.5, "no run yet", ha="center", va="center", fontsize=11, color=GREY)
    return figure, axes[:count]


def _label_rows(panels: list[Axes], words: str) -> None:
    for ax in panels[:: 1 if len(panels) <= 1 else 2]:
        ax.set_ylabel(words)


def _margin_mark(ax: Axes, value: float, words: str) -> None:
    """A triangle at the right margin that points at a figure of the paper's."""
    place = ax.get_yaxis_transform()
    ax.plot([1.015], [value], color=INK, marker="<", markersize=6, transform=place, clip_on=False)
    ax.text(1.035, value, words, transform=place, va="center", fontsize=7.5, linespacing=1.1)


def _plain_log_ticks(ax: Axes) -> None:
    """1, 2, 5, 10 … instead of powers of ten where an axis spans less than two decades."""
    low, high = ax.get_ylim()
    subs = (
        (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 6 else (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    )
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, entries: list[tuple[dict, str]] | None = None, handles=None) -> None:
    """One legend above all panels, from line styles or from handles that exist."""
    if handles is None:
        lines = [Line2D([], [], **style) for style, _ in entries or []]
        handles = lines, [words for _, words in entries or []]
    figure.legend(*handles, loc="outside upper center", ncols=min(4, len(handles[1])))
