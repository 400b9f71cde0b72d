"""The audit's figures: first losses, what 250 episodes say, the leaks, our curves over the author's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ...evidence.fidelity import Curves
from .style import BLUE, CHANCE, GREY, INK, ORANGE, WIDTH, styled

PAIRS = 2  # of panels, side by side


@styled
def first_losses(candidates: pd.DataFrame) -> Figure:
    """The logged first loss of each row as a line, and the networks that could be meant as marks.

    candidates  from `audit.first_loss_candidates`; each row has an axis of its own, as the losses lie far apart
    """
    names = list(dict.fromkeys(candidates["experiment"]))
    figure = Figure(figsize=(WIDTH, 0.6 + 0.62 * len(names)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(names), 1))
    for ax, name in zip(axes, names, strict=True):
        lines = candidates[candidates["experiment"] == name]
        logged = float(lines["logged"].iloc[0])
        ax.axvspan(logged - 0.15, logged + 0.03, color=BLUE, alpha=0.18, linewidth=0)
        ax.axvline(logged, color=BLUE)
        for _, line in lines.iterrows():
            marker, size = ("o", 7) if line["described"] else ("D", 5)
            ax.plot(
                line["expected"],
                0,
                marker,
                markersize=size,
                color=INK,
                fillstyle="full" if line["fits"] else "none",
            )
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.set_yticks([])
        ax.grid(False)
        ax.spines["left"].set_visible(False)
        ax.margins(x=0.06)
    axes[-1].set_xlabel("expected first loss: log 2 and the penalty (each row has its own axis)")
    handles = [
        axes[0].plot([], [], "o", color=INK, fillstyle="none", markersize=7)[0],
        axes[0].plot([], [], "D", color=INK, fillstyle="none", markersize=5)[0],
        axes[0].plot([], [], "D", color=INK, markersize=5)[0],
        axes[0].plot([], [], color=BLUE)[0],
    ]
    words = ["the network described", "another network", "filled: fits the log", "logged by the author"]
    figure.legend(handles, words, loc="outside upper center", ncols=4)
    return figure


@styled
def both_ways(found: pd.DataFrame) -> Figure:
    """Val accuracy as described and as run, the baseline as a line, the paper's figure as an open circle.

    found  from `audit.both_ways`
    """
    baseline, rows = found.iloc[0], list(dict.fromkeys(found["row"][1:]))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.5 * len(rows)), layout="constrained")
    ax = figure.subplots()
    if baseline["val"]:
        ax.axvline(np.mean(baseline["val"]), color=INK, linewidth=1, label="the baseline here")
    for variant, lift, marker, colour in (("as described", -0.14, "o", BLUE), ("as run", 0.14, "D", ORANGE)):
        part = found[found["variant"] == variant]
        for _, line in part.iterrows():
            place = rows.index(line["row"]) + lift
            ax.plot(line["val"], [place] * len(line["val"]), marker, color=colour, markersize=3, linestyle="")
            if line["val"]:
                ax.plot(np.mean(line["val"]), place, marker, color=colour, markersize=7)
        ax.plot([], [], marker, color=colour, markersize=7, label=variant)
    places = [rows.index(row) for row in found["row"][1:]]
    ax.plot(found["paper"][1:], places, "o", color=INK, fillstyle="none", markersize=8, label="the paper's figure")
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5), ylabel="row of Table 1")
    ax.set_xlabel("val accuracy in %, 1-shot 20-way")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled
def paper_intervals(found: pd.DataFrame) -> Figure:
    """Table 1's val figures with the interval of their 250 episodes, and the baseline's as a band.

    found  from `audit.granularity`
    """
    figure = Figure(figsize=(WIDTH, 1.1 + 0.27 * len(found)), layout="constrained")
    ax = figure.subplots()
    baseline, y = found.iloc[0], np.arange(len(found))
    ax.axvspan(
        baseline["low"],
        baseline["high"],
        color=GREY,
        alpha=0.25,
        linewidth=0,
        label="the baseline's interval",
    )
    ax.axvline(CHANCE, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="chance, 5 %")
    for clear, style, words in ((True, "o", "can be told from the baseline"), (False, "s", "cannot")):
        part = found["clear"].to_numpy() == clear
        shown = found[part]
        ax.errorbar(
            shown["val"], y[part], xerr=[shown["val"] - shown["low"], shown["high"] - shown["val"]],
            fmt=style, color=BLUE if clear else ORANGE, fillstyle="full" if clear else "none", capsize=2.5,
            markersize=5, label=words,
        )  # fmt: skip
    ax.set_yticks(y, list(found["row"]))
    ax.set(xlim=(0, 100), ylim=(len(found) - 0.4, -0.6), ylabel="row of Table 1")
    ax.set_xlabel("the paper's val accuracy in %, with the 95 % interval of 250 episodes")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled
def leak_effects(found: pd.DataFrame) -> Figure:
    """Accuracy in the episodes with a leak and in those without, an experiment a line.

    found  from `leakage.accuracy_by_leak`
    """
    figure = Figure(figsize=(WIDTH, 1.1 + 0.27 * len(found)), layout="constrained")
    if found.empty:
        figure.text(0.5, 0.5, "no finished run yet", ha="center", va="center", fontsize=11, color=GREY)
        return figure
    ax = figure.subplots()
    y = np.arange(len(found))
    styles = {
        "self": ("^", ORANGE, "the query is its own support"),
        "twin": ("v", GREY, "its class stands there twice"),
        "clean": ("o", BLUE, "neither"),
    }
    for name, (marker, colour, words) in styles.items():
        reach = [found[name] - found[f"{name}_low"], found[f"{name}_high"] - found[name]]
        ax.errorbar(
            found[name],
            y,
            xerr=np.maximum(0, reach),
            fmt=marker,
            color=colour,
            capsize=2,
            markersize=5,
            label=words,
        )
    ax.axvline(CHANCE, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="chance, 5 %")
    ax.set_yticks(y, list(found["experiment"]))
    ax.set(xlim=(-2, 102), ylim=(len(found) - 0.4, -0.6), ylabel="experiment")
    ax.set_xlabel("val accuracy in % of such episodes, 1-shot 20-way")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled
def curve_figure(curves: Sequence[Curves]) -> Figure:
    """Our runs at the full protocol over the author's whole logs: loss and val accuracy, two rows a line.

    curves  from `fidelity.curves`. The axis of iterations is a square root's, so that beginnings can be seen.
    """
    beside = min(max(len(curves), 1), PAIRS)
    lines = max(1, -(-len(curves) // beside))
    figure = Figure(figsize=(WIDTH, 0.75 + 2.6 / beside * lines), layout="constrained")
    axes = figure.subplots(lines, 2 * beside, squeeze=False)
    pairs = [(line[2 * side], line[2 * side + 1]) for line in axes for side in range(beside)]
    for pair in pairs[len(curves) :]:
        for ax in pair:
            ax.remove()
    if not curves:
        figure.text(0.5, 0.5, "no run yet", ha="center", va="center", fontsize=11, color=GREY)
        return figure
    for place, ((label, ours, log), pair) in enumerate(zip(curves, pairs, strict=False)):
        stops = sorted({int(history["iteration"].max()) for history in ours})
        end = max([5000, *stops, *log["iteration"]])
        pair[0].set_title(f"{label}: to iteration {', '.join(f'{stop:,}' for stop in stops)}", fontsize=8)
        lacks = "no log of this network" if log.empty else "" if log["batch_loss"].any() else "no loss was logged"
        pair[0].text(0.5, 0.1, lacks, fontsize=7, ha="center", transform=pair[0].transAxes)
        for ax, column, scale in zip(pair, ("batch_loss", "val_accuracy"), (1, 100), strict=True):
            ax.plot(log["iteration"], scale * log[column], color=GREY, linewidth=1.1)
            for history in ours:
                last = int(history["iteration"].max())
                ax.axvline(last, color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)))
                ax.plot(
                    history["iteration"], scale * history[column], "o-", color=BLUE, markersize=2.6,
                    linewidth=1.2, clip_on=False, zorder=3,
                )  # fmt: skip
            ax.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
            ax.set_xlim(0, end)
            ax.set_xticks([0, 400, 2000, end], ["0", "400", "2,000", f"{end:,}"], fontsize=7)
            ax.tick_params(axis="y", labelsize=7)
            if place >= len(curves) - beside:
                ax.set_xlabel("iteration", fontsize=8)
        _decades(pair[0])
        pair[0].set_ylabel("batch loss", fontsize=7.5)
        pair[1].axhline(CHANCE, color=ORANGE, linewidth=1, linestyle="--")
        pair[1].set(ylim=(0, 100), yticks=[0, 50, 100])
        pair[1].set_ylabel("val, %", fontsize=7.5)
    any_ax = pairs[0][0]
    handles = [
        any_ax.plot([], [], "o-", color=BLUE, markersize=3, linewidth=1.2)[0],
        any_ax.plot([], [], color=GREY, linewidth=1.1)[0],
        any_ax.plot([], [], color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)))[0],
        any_ax.plot([], [], color=ORANGE, linewidth=1, linestyle="--")[0],
    ]
    words = ["here", "the author's log, whole", "how far ours has come", "chance, 5 %"]
    figure.legend(handles, words, loc="outside upper center", ncols=4)
    return figure


def _decades(ax: Axes) -> None:
    """A logarithmic axis of one power of ten at least, with few marks, written out."""
    low, high = (float(limit) for limit in ax.dataLim.intervaly)
    middle, half = (low * high) ** 0.5, max(10**0.5, 1.15 * (high / low) ** 0.5)
    ax.set_yscale("log")
    powers = [10.0**power for power in range(-6, 7) if middle / half <= 10.0**power <= middle * half]
    marks = powers if len(powers) > 1 else [0.1, 0.3, 1, 3, 10, 30, 100, 300]
    ax.set_yticks(marks, [f"{mark:g}" for mark in marks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(middle / half, middle * half)
