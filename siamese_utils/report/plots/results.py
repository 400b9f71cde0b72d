"""The figures of trainings and their results: curves, learning rates, k ways, Table 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..tables import pooled
from .style import (
    BLUE,
    DOTTED,
    GREY,
    INK,
    ORANGE,
    Look,
    chance_line,
    dot_rows,
    empty_figure,
    legend,
    new_figure,
    styled,
    with_intervals,
)

if TYPE_CHECKING:
    from ...config import Experiment, LearningRate, Profile
    from ...training.runs import Run

# an experiment's name → its runs
Groups = dict[str, list["Run"]]


@styled
def learning_curves(runs: Iterable[Run]) -> Figure:
    """Accuracy at every check, a panel an experiment; the baseline stands in grey in the others' panels.

    One seed: the band is the Wilson 95 % interval of a check's episodes. Several: the line is the mean over
    the seeds, the band reaches from the lowest to the highest. At the right margin: the paper's Table 1.
    """
    groups = _by_experiment(runs)
    if not groups:
        return empty_figure()
    figure, panels = _panels(groups, "accuracy in %, 1-shot 20-way")
    baseline = _curve(groups["baseline"]) if "baseline" in groups else None
    for ax, experiment, curve in panels:
        if baseline is not None and experiment.name != "baseline":
            ax.plot(baseline.index, 100 * baseline["val_accuracy"], color=GREY, linewidth=1.2, linestyle=":")
        ax.fill_between(
            curve.index, 100 * curve["val_low"], 100 * curve["val_high"], color=BLUE, alpha=0.2, linewidth=0
        )
        ax.plot(curve.index, 100 * curve["train_accuracy"], color=ORANGE, linestyle="--", linewidth=1.3)
        every = max(1, len(curve) // 8)
        ax.plot(curve.index, 100 * curve["val_accuracy"], color=BLUE, marker="o", markersize=4, markevery=every)
        chance_line(ax)
        ax.set_ylim(0, 100)
        if experiment.paper:
            _margin_mark(ax, experiment.paper.val, f"paper\n{experiment.paper.val:g}")
        elif experiment.author and experiment.author.val:
            _margin_mark(ax, experiment.author.val, f"author\n{experiment.author.val:g}")
    several = max(map(len, groups.values())) > 1
    band = "lowest to highest seed" if several else "95 % interval (Wilson)"
    entries: dict[str, Look] = {
        "val, mean of the seeds" if several else "val": {"color": BLUE, "marker": "o"},
        band: {"color": BLUE, "alpha": 0.2, "linewidth": 7},
        "train": {"color": ORANGE, "linestyle": "--"},
    }
    if baseline is not None and len(groups) > 1:
        entries["baseline, val"] = {"color": GREY, "linestyle": ":"}
    entries["chance, 5 %"] = DOTTED
    entries["Table 1, val"] = {"color": INK, "marker": "<", "linestyle": ""}
    legend(figure, entries)
    return figure


@styled
def loss_curves(runs: Iterable[Run]) -> Figure:
    """Training loss on a logarithmic axis, a panel an experiment.

    The first loss is that of the very first batch, before any update. The author's stands beside it where one
    was logged and the images have the paper's size, on which the penalty depends.
    """
    groups = _by_experiment(runs)
    if not groups:
        return empty_figure()
    figure, panels = _panels(groups, "loss, penalties included")
    entries: dict[str, Look] = {
        "mean since the last check": {"color": BLUE, "marker": "o"},
        "the check's own batch": {"color": ORANGE, "linestyle": "--"},
        "first loss here": {"color": INK, "marker": "D", "linestyle": ""},
    }
    for ax, experiment, curve in panels:
        ax.plot(curve.index, curve["mean_loss"], color=BLUE, marker="o", markersize=3.5, markevery=0.12)
        ax.plot(curve.index, curve["batch_loss"], color=ORANGE, linestyle="--", linewidth=1.1)
        group = groups[experiment.name]
        first = float(np.mean([run.metrics["first_batch_loss"] for run in group]))
        ax.plot([0], [first], color=INK, marker="D", markersize=5, linestyle="", clip_on=False)
        words = f"first loss {first:.3f}"
        if group[0].image_size == 105 and experiment.author and experiment.author.first_loss:
            ax.plot([0], [experiment.author.first_loss], color=INK, marker="D", markersize=6, fillstyle="none")
            entries["author's first loss"] = {**entries["first loss here"], "fillstyle": "none"}
            words += f", author's {experiment.author.first_loss:.3f}"
        ax.text(0.97, 0.95, words, transform=ax.transAxes, ha="right", va="top", fontsize=8)
        ax.set_yscale("log")
        # a loss may never move
        low, high = ax.get_ylim()
        ax.set_ylim(low * 0.9, high * max(high / low, 1.5) ** 0.22)
        _plain_log_ticks(ax)
    legend(figure, entries)
    return figure


@styled
def learning_rates(experiments: Iterable[Experiment], profile: Profile) -> Figure:
    """Adam's learning rate over the iterations; experiments with the same schedule share a line."""
    by_rate: dict[LearningRate, list[str]] = {}
    for experiment in experiments:
        by_rate.setdefault(experiment.recipe.learning_rate, []).append(experiment.label.partition(" (")[0])
    figure = new_figure(3.6)
    ax = figure.subplots()
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    iterations = np.arange(profile.iterations + 1)
    styles = [(INK, "-", "o"), (BLUE, "--", "s"), (ORANGE, "-.", "^"), (GREY, ":", "D")]
    for number, (rate, labels) in enumerate(by_rate.items()):
        colour, line, marker = styles[number % len(styles)]
        values = np.full(len(iterations), rate.initial)
        if rate.decay_steps and rate.decay_rate:
            values *= rate.decay_rate ** (iterations / profile.decay_steps(rate.decay_steps))
        ax.plot(iterations, values, color=colour, linestyle=line, marker=marker, markevery=0.25, markersize=5)
        words, end = " / ".join(dict.fromkeys(labels)), (iterations[-1], values[-1])
        beside: Look = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        ax.annotate(words, end, (8, 0), fontsize=8.5, **beside)
    ax.set(yscale="log", xlabel="iteration", ylabel="learning rate (logarithmic)", xlim=(0, iterations[-1]))
    return figure


@styled
def k_way(scores: pd.DataFrame, paper: dict[int, float] | None = None) -> Figure:
    """The paper's Figure 2: accuracy on val for different k, both protocols, with 95 % intervals.

    scores  one experiment's rows of `training.runs.tidy`; several seeds' episodes are pooled.
    paper   k → accuracy in %, figures of the paper to mark.
    """
    figure = new_figure(4.2)
    ax = figure.subplots()
    shown = pooled(scores[scores["split"] == "val"], ["protocol", "ways"]).sort_values("ways")
    for protocol, words, colour, line, marker, shift in (
        ("author", "author's protocol", BLUE, "-", "o", -0.08),
        ("strict", "strict protocol", ORANGE, "--", "s", 0.08),
    ):
        part = shown[shown["protocol"] == protocol]
        values = (100 * part[name] for name in ("accuracy", "low", "high"))
        look: Look = {"color": colour, "linestyle": line, "marker": marker, "elinewidth": 1, "label": words}
        with_intervals(ax, part["ways"] + shift, *values, upright=True, **look)
    ways = np.arange(1, max([20, *shown["ways"]]) + 1)
    ax.plot(ways, 100 / ways, label="chance, 1/k", **{**DOTTED, "linewidth": 0.9})
    if paper:
        star: Look = {"color": INK, "marker": "*", "markersize": 10, "fillstyle": "none", "linestyle": ""}
        ax.plot(list(paper), list(paper.values()), label="the paper's Figure 2", **star)
    ax.set(xlabel="k, classes in the support set", ylabel="accuracy in %, 1-shot k-way, val", ylim=(0, 104))
    ax.set_xticks([1, *range(2, len(ways) + 1, 2)])
    legend(figure)
    return figure


@styled
def table1_dots(rows: pd.DataFrame) -> Figure:
    """Table 1 as a dot plot of val accuracy, in the paper's order: paper ○, ours ● with its 95 % interval.

    rows  those of a `Board`; a row without a run shows the paper's figure alone.
    """
    figure, ax = dot_rows(list(rows["label"]), ylabel="row of Table 1", xlabel="val accuracy in %, 1-shot 20-way")
    chance_line(ax, upright=True)
    y = np.arange(len(rows))
    paper, ours, strict = (rows[name].astype(float) for name in ("paper_val", "ours_val", "strict_val"))
    ax.plot([paper, ours], [y, y], color=GREY, linewidth=0.7, zorder=1)
    ring: Look = {"color": INK, "marker": "o", "markersize": 7, "fillstyle": "none", "linestyle": ""}
    ax.plot(paper, y, label="paper, Table 1", **ring)
    with_intervals(ax, y, ours, rows["low"], rows["high"], color=BLUE, marker="o", label="here, author's protocol")
    ax.plot(strict, y, color=ORANGE, marker="D", markersize=3.5, linestyle="", label="here, strict protocol")
    for place in np.flatnonzero(rows["group"].ne(rows["group"].shift()))[1:]:
        ax.axhline(place - 0.5, color=GREY, linewidth=0.7)
    legend(figure)
    return figure


# ---- shared by several ---------------------------------------------------------------------------


def _by_experiment(runs: Iterable[Run]) -> Groups:
    """Runs grouped by their experiment's name, in the order in which they come."""
    groups: Groups = {}
    for run in runs:
        groups.setdefault(run.config["experiment"], []).append(run)
    return groups


def _curve(group: list[Run]) -> pd.DataFrame:
    """History by iteration, mean over the seeds; low and high: Wilson's for one seed, else the extremes."""
    histories = pd.concat([run.history for run in group])
    mean = histories.groupby("iteration").mean(numeric_only=True)
    if len(group) > 1:
        val = histories.groupby("iteration")["val_accuracy"]
        mean["val_low"], mean["val_high"] = val.min(), val.max()
    return mean


def _panels(groups: Groups, ylabel: str) -> tuple[Figure, Iterator[tuple[Axes, Experiment, pd.DataFrame]]]:
    """One wide panel, or two columns of them: each with its experiment and the curve to draw."""
    columns = min(len(groups), 2)
    lines = -(-len(groups) // columns)
    figure = new_figure(3.9 if columns == 1 else 0.7 + 2.3 * lines)
    axes = list(figure.subplots(lines, columns, squeeze=False).flat)
    for ax in axes[len(groups) :]:
        ax.remove()
    for ax in axes[: len(groups) : columns]:
        ax.set_ylabel(ylabel)

    def panels() -> Iterator[tuple[Axes, Experiment, pd.DataFrame]]:
        for ax, group in zip(axes, groups.values(), strict=False):
            ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            ax.set(xlabel="iteration", title=group[0].experiment.label)
            yield ax, group[0].experiment, _curve(group)

    return figure, panels()


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
