"""The audit's figures: first losses, what 250 episodes say, the leaks, our curves over the author's."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ...config import PAPER_ITERATIONS
from ...evidence.fidelity import Curves
from . import style
from .curves import MARKED
from .style import BLUE, GREY, INK, ORANGE, Look, styled

# pairs of panels, side by side
PAIRS = 2
ROW = "row of Table 1"
# of a curve by its run's seed: first, second, third
SEEDS: tuple[Look, ...] = (
    {"color": BLUE, "marker": "o", "markersize": 2.6, "linewidth": 0.8},
    {"color": ORANGE, "marker": "s", "markersize": 2.4, "linewidth": 0.8, "linestyle": "--"},
    {"color": INK, "marker": "^", "markersize": 2.6, "linewidth": 0.8, "linestyle": "-."},
)


@styled
def first_loss_scatter(found: pd.DataFrame) -> Figure:
    """Draw the first loss that each row's network as described should have, and the one that its author logged.

    found  from `first_loss.first_loss_candidates`; a row without a logged loss is left out
    """
    shown = found[found["described"] & found["logged"].notna()]
    height = max(4.4, 1 + 0.16 * len(shown))
    figure = style.new_figure(height)
    ax = figure.subplots()
    both = shown[["expected", "logged"]].to_numpy()
    limits = both.min(initial=1) / 1.3, both.max(initial=1) * 1.3
    ax.plot(limits, limits, color=GREY, linewidth=1, label="logged as expected")
    for fits, marker, colour, words in (
        (True, "o", BLUE, "text and run agree"),
        (False, "D", ORANGE, "text and run disagree"),
    ):
        part = shown[shown["fits"] == fits]
        look: Look = {"marker": marker, "color": colour, "linestyle": "", "fillstyle": "full" if fits else "none"}
        ax.plot(part["expected"], part["logged"], markersize=6, label=words, **look)
    ax.set(xscale="log", yscale="log")
    ticks = [0.5, 1, 2, 5, 10, 20, 50, 100]
    for axis, name in ((ax.xaxis, "expected"), (ax.yaxis, "logged")):
        axis.set_ticks(ticks, list(map(str, ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_label_text(f"first loss, {name}")
    ax.set(xlim=limits, ylim=limits)
    points = list(zip(shown["expected"], shown["logged"], shown["experiment"], strict=True))
    for expected, logged, name in points:
        style.note(ax, expected, logged, f"{name}: first loss {expected:.3f} expected, {logged:.3f} logged")
    style.end_labels(ax, points, height - 0.9)
    style.legend(figure)
    return figure


@styled
def both_ways(found: pd.DataFrame) -> Figure:
    """Draw val accuracy as described and as run, the baseline as a line, the paper's figure as an open circle.

    found  from `first_loss.both_ways`
    """
    baseline, others = found.iloc[0], found.iloc[1:]
    rows = list(dict.fromkeys(others["row"]))
    figure, ax = style.dot_rows(rows, ylabel=ROW, xlabel="val accuracy in %, 1-shot 20-way", each=0.5)
    if baseline["val"]:
        ax.axvline(np.mean(baseline["val"]), color=INK, linewidth=1, label="the baseline here")
    for variant, lift, marker, colour in (("as described", -0.14, "o", BLUE), ("as run", 0.14, "D", ORANGE)):
        look: Look = {"marker": marker, "color": colour, "linestyle": ""}
        for _, line in others[others["variant"] == variant].iterrows():
            place = rows.index(line["row"]) + lift
            ax.plot(line["val"], [place] * len(line["val"]), markersize=3, **look)
            if line["val"]:
                ax.plot(np.mean(line["val"]), place, markersize=7, **look)
        ax.plot([], [], markersize=7, label=variant, **look)
    places = [rows.index(row) for row in others["row"]]
    ax.plot(others["paper"], places, "o", color=INK, fillstyle="none", markersize=8, label="the paper's figure")
    style.legend(figure)
    return figure


@styled
def paper_intervals(found: pd.DataFrame) -> Figure:
    """Draw Table 1's val figures with the interval of their 250 episodes, and the baseline's as a band.

    found  from `first_loss.granularity`
    """
    xlabel = "the paper's val accuracy in %, with the 95 % interval of 250 episodes"
    figure, ax = style.dot_rows(list(found["row"]), ylabel=ROW, xlabel=xlabel)
    baseline, y = found.iloc[0], np.arange(len(found))
    band: Look = {"color": GREY, "alpha": 0.25, "linewidth": 0, "label": "the baseline's interval"}
    ax.axvspan(baseline["low"], baseline["high"], **band)
    style.chance_line(ax, upright=True)
    is_baseline = y == 0
    for part, marker, colour, words in (
        (is_baseline, "D", INK, "the baseline"),
        (found["clear"] & ~is_baseline, "o", BLUE, "can be told from the baseline"),
        (~found["clear"] & ~is_baseline, "s", ORANGE, "cannot"),
    ):
        shown = found[part]
        fill = "none" if marker == "s" else "full"
        look: Look = {"marker": marker, "color": colour, "fillstyle": fill, "label": words}
        style.with_intervals(ax, y[part], shown["val"], shown["low"], shown["high"], **look)
    style.legend(figure)
    return figure


@styled
def leak_effects(found: pd.DataFrame) -> Figure:
    """Draw the accuracy in the episodes with a leak and in those without, an experiment a line.

    found  from `leakage.accuracy_by_leak`
    """
    if found.empty:
        return style.empty_figure("no finished run yet", 1.1)
    xlabel = "val accuracy in % of such episodes, 1-shot 20-way"
    figure, ax = style.dot_rows(list(found["experiment"]), ylabel="experiment", xlabel=xlabel)
    ax.set_xlim(-2, 102)
    for name, marker, colour, words in (
        ("self", "^", ORANGE, "the query is its own support"),
        ("twin", "v", GREY, "its class stands there twice"),
        ("clean", "o", BLUE, "neither"),
    ):
        values = (found[column] for column in (name, f"{name}_low", f"{name}_high"))
        style.with_intervals(ax, np.arange(len(found)), *values, marker=marker, color=colour, label=words)
    style.chance_line(ax, upright=True)
    style.legend(figure)
    return figure


@styled
def curve_figure(curves: Sequence[Curves]) -> Figure:
    """Draw our runs at the full protocol over the author's whole logs: loss and val accuracy, two rows a line.

    curves  from `fidelity.curves`. The axis of iterations is a square root's, so that beginnings can be seen.
    """
    if not curves:
        return style.empty_figure()
    beside = min(len(curves), PAIRS)
    lines = -(-len(curves) // beside)
    figure = style.new_figure(0.75 + 2.6 / beside * lines)
    axes = figure.subplots(lines, 2 * beside, squeeze=False)
    pairs = axes.reshape(-1, 2)
    for ax in pairs[len(curves) :].flat:
        ax.remove()
    # above ours, or three seeds would hide it
    author: Look = {"color": GREY, "linewidth": 1.8, "alpha": 0.8, "zorder": 4}
    stop_line: Look = {"color": INK, "linewidth": 0.9, "linestyle": (0, (1, 1.5))}
    entries: dict[str, Look] = {}
    others = {"the author's log, whole": author}
    for place, ((label, ours, log), (loss, val)) in enumerate(zip(curves, pairs, strict=False)):
        stops = sorted({int(history["iteration"].max()) for _, history in ours})
        end = max([PAPER_ITERATIONS, *stops, *log["iteration"]])
        for ax, column, scale in ((loss, "batch_loss", 1), (val, "val_accuracy", 100)):
            ax.plot(log["iteration"], scale * log[column], **author)
            for seed, history in ours:
                look = entries.setdefault(f"here, seed {seed}", SEEDS[seed % len(SEEDS)])
                every = None if len(history) <= MARKED else len(history) // 5
                ax.plot(history["iteration"], scale * history[column], markevery=every, clip_on=False, zorder=3, **look)
            for stop in stops:
                if stop < end:
                    ax.axvline(stop, **stop_line)
                    others["a run that has come so far"] = stop_line
            style.square_root_axis(ax, end, 0.3)
            ax.tick_params(labelsize=7)
            if place >= len(curves) - beside:
                ax.set_xlabel("iteration", fontsize=8)
        loss.set_title(f"{label}: to iteration {', '.join(f'{stop:,}' for stop in stops)}", fontsize=8)
        lacks = "no log of\nthis network" if log.empty else "" if log["batch_loss"].any() else "no loss\nwas logged"
        loss.text(0.97, 0.97, lacks, fontsize=7, ha="right", va="top", transform=loss.transAxes)
        loss.set_ylabel("batch loss", fontsize=7.5)
        _decades(loss)
        style.chance_line(val)
        val.set(ylim=(0, 100), yticks=[0, 50, 100])
        val.set_ylabel("val, %", fontsize=7.5)
    style.legend(figure, {**dict(sorted(entries.items())), **others, style.GUESSING: style.DOTTED})
    return figure


def _decades(ax: Axes) -> None:
    """Make y a logarithmic axis of one power of ten at least, with few marks, written out."""
    low, high = (float(limit) for limit in ax.dataLim.intervaly)
    middle, half = (low * high) ** 0.5, max(10**0.5, 1.15 * (high / low) ** 0.5)
    ax.set_yscale("log")
    powers = [10.0**power for power in range(-6, 7) if middle / half <= 10.0**power <= middle * half]
    marks = powers if len(powers) > 1 else [0.1, 0.3, 1, 3, 10, 30, 100, 300]
    ax.set_yticks(marks, [f"{mark:g}" for mark in marks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(middle / half, middle * half)
