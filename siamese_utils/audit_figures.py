"""The audit's figures: first losses, what 250 episodes say, the leaks, our first iterations over the author's logs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import BLUE, CHANCE, GREY, INK, ORANGE, WIDTH, styled


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
    ax.plot(
        found["paper"][1:], places, "o", color=INK, fillstyle="none", markersize=8, label="the paper's figure"
    )
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

    found  from `leaks.measured`
    """
    figure = Figure(figsize=(WIDTH, 1.1 + 0.27 * len(found)), layout="constrained")
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
def over_logs(ours: Mapping[str, pd.DataFrame], logs: Mapping[str, pd.DataFrame]) -> Figure:
    """Batch loss at the checks, our full-protocol runs over the author's logs, a panel an experiment.

    ours  label → checks with iteration and batch_loss;  logs  likewise, for those labels that have a log
    """
    columns = 3
    rows = max(1, -(-len(ours) // columns))
    figure = Figure(figsize=(WIDTH, 0.7 + 1.75 * rows), layout="constrained")
    axes = list(np.asarray(figure.subplots(rows, columns, squeeze=False)).ravel())
    for ax in axes[len(ours) :]:
        ax.remove()
    if not ours:
        figure.text(0.5, 0.5, "no run yet", ha="center", va="center", fontsize=11, color=GREY)
    for ax, (label, checks) in zip(axes, ours.items(), strict=False):
        last = max(int(checks["iteration"].max()), 100)
        if label in logs:
            log = logs[label][logs[label]["iteration"] <= last]
            ax.plot(log["iteration"], log["batch_loss"], "s:", color=ORANGE, fillstyle="none", markersize=6)
        ax.plot(checks["iteration"], checks["batch_loss"], "o:", color=BLUE, markersize=4)
        ax.set_title(label, fontsize=8)
        ax.set(xlim=(-0.08 * last, 1.08 * last), ylim=(0, 1.12 * ax.dataLim.y1))
        ax.set_xticks(np.linspace(0, last, 3))
    for ax in axes[: len(ours)][::columns]:
        ax.set_ylabel("batch loss")
    for ax in axes[max(0, len(ours) - columns) : len(ours)]:
        ax.set_xlabel("iteration")
    if ours:
        first = axes[0]
        handles = [
            first.plot([], [], "o:", color=BLUE, markersize=4)[0],
            first.plot([], [], "s:", color=ORANGE, fillstyle="none", markersize=6)[0],
        ]
        figure.legend(
            handles, ["here, full protocol", "the author's log"], loc="outside upper center", ncols=2
        )
    return figure
