"""The figures, each a pure function from data to a matplotlib Figure.

Accuracies are drawn in %, 1-shot 20-way unless an axis says otherwise, under the author's protocol unless a
label says "strict". What a colour tells, a line style or a marker tells too. Nothing here trains, loads or
shows anything: `notebook.show_figure` puts a figure with its description and its origin onto the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..tables import pooled
from .style import BLUE, CHANCE, GREY, INK, ORANGE, WIDTH, styled

if TYPE_CHECKING:
    from ...config import Experiment, LearningRate, Profile
    from ...training.runs import Run


# ---- the network and the data --------------------------------------------------------------------


# ---- training ------------------------------------------------------------------------------------


@styled
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
            ax.plot(reference.index, 100 * reference["val_accuracy"], color=GREY, linewidth=1.2, linestyle=":")
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
            *([({"color": GREY, "linestyle": ":"}, "baseline, val")] if baseline and len(by_name) > 1 else []),
            ({"color": INK, "linestyle": (0, (1, 2)), "linewidth": 0.8}, "chance, 5 %"),
            ({"color": INK, "marker": "<", "linestyle": ""}, "Table 1, val"),
        ],
    )
    return figure


@styled
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
            ax.plot([0], [experiment.author.first_loss], color=INK, marker="D", markersize=6, fillstyle="none")
            authors += 1
            words += f", author's {experiment.author.first_loss:.3f}"
        ax.text(0.97, 0.95, words, transform=ax.transAxes, ha="right", va="top", fontsize=8)
        ax.set(yscale="log", xlabel="iteration", title=experiment.label)
        low, high = ax.get_ylim()
        ax.set_ylim(low * 0.9, high * max(high / low, 1.5) ** 0.22)  # losses may never move
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


@styled
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


@styled
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
        whiskers = np.maximum(0, [accuracy - 100 * part["low"].to_numpy(), 100 * part["high"].to_numpy() - accuracy])
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


@styled
def table1_dots(frame: pd.DataFrame) -> Figure:
    """Table 1 as a dot plot of val accuracy, in the paper's order: paper ○, ours ● with its 95 % interval.

    frame  from `table1.table1`; rows without a run show the paper's figure alone.
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
    mean = histories.groupby("iteration").mean(numeric_only=True)
    if len(group) > 1:
        val = histories.groupby("iteration")["val_accuracy"]
        mean["val_low"], mean["val_high"] = val.min(), val.max()
    return mean


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
    subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 6 else (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, entries: list[tuple[dict, str]] | None = None, handles=None) -> None:
    """One legend above all panels, from line styles or from handles that exist."""
    if handles is None:
        lines = [Line2D([], [], **style) for style, _ in entries or []]
        handles = lines, [words for _, words in entries or []]
    figure.legend(*handles, loc="outside upper center", ncols=min(4, len(handles[1])))
