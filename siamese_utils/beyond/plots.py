"""The figures beyond the paper: which loss, which detail, a map of embeddings, neighbours, errors, more examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from ..report.plots.images import row_label, show_drawing
from ..report.plots.style import BLUE, CHANCE, GREY, INK, ORANGE, WIDTH, styled
from ..text import listed, shortened

if TYPE_CHECKING:
    from ..data.dataset import Split
    from ..evidence.factorial import Factorial


@styled
def losses(frame: pd.DataFrame, reference: str) -> Figure:
    """Accuracy of each method with its interval, its seeds as small dots, the reference as a line.

    frame  from `comparison.compare`, its order kept
    """
    figure = Figure(figsize=(WIDTH, 1.0 + 0.34 * len(frame)), layout="constrained")
    ax = figure.subplots()
    y = np.arange(len(frame))
    for place, values in zip(y, frame["by_seed"], strict=True):
        ax.plot(values, [place] * len(values), "o", color=GREY, markersize=3)
    reach = np.array([frame["accuracy"] - frame["low"], frame["high"] - frame["accuracy"]])
    ax.errorbar(frame["accuracy"], y, xerr=np.nan_to_num(reach), fmt="o", color=BLUE, capsize=2.5, markersize=6)
    own = frame[frame["name"] == reference]
    if len(own):
        ax.axvline(
            own["accuracy"].iloc[0],
            color=ORANGE,
            linewidth=1.2,
            label=f"{own['title'].iloc[0]}: the paper’s loss",
        )
    ax.axvline(CHANCE, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="chance, 5 %")
    ax.set_yticks(y, list(frame["title"]))
    ax.set(xlim=(0, 100), ylim=(len(frame) - 0.5, -0.5))
    ax.set_xlabel("accuracy in % on held-out alphabets, strict, 1-shot 20-way; small dots are seeds")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def effects(found: pd.DataFrame, design: Factorial) -> Figure:
    """Main effects and interactions in points with 95 % intervals; filled where p is below 0.05.

    found  from `factorial.effects`, whose p is after Holm's correction
    """
    titles = {factor.name: factor for factor in design.factors}
    figure = Figure(figsize=(WIDTH, 0.9 + 0.33 * len(found)), layout="constrained")
    ax = figure.subplots()
    labels = []
    for place, (_, line) in enumerate(found.iterrows()):
        clear = line["p"] < 0.05
        main = len(line["factors"]) == 1
        ax.errorbar(
            line["effect"], place, xerr=[[line["effect"] - line["low"]], [line["high"] - line["effect"]]],
            fmt="o" if main else "D", color=BLUE if main else ORANGE, fillstyle="full" if clear else "none",
            capsize=2.5, markersize=6,
        )  # fmt: skip
        factor = titles[line["factors"][0]]
        words = f"{factor.title}: {factor.high.words} minus {factor.low.words}"
        labels.append(words if main else " × ".join(titles[name].title for name in line["factors"]))
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(range(len(found)), labels)
    ax.set(ylim=(len(found) - 0.5, -0.5), xlabel="effect on val accuracy in points, with its 95 % interval")
    for marker, colour, words in (("o", BLUE, "main effect"), ("D", ORANGE, "interaction")):
        ax.plot([], [], marker, color=colour, markersize=6, label=words)
    ax.plot([], [], "o", color=INK, fillstyle="none", markersize=6, label="open: may be zero")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@styled
def cells(frame: pd.DataFrame, design: Factorial) -> Figure:
    """Every combination's accuracy: two factors a panel grid, two inside; seeds as dots, their mean as a line.

    frame  from `factorial.accuracies`, of a design of four factors
    """
    rows, columns, along, style = design.factors[0], design.factors[1], design.factors[2], design.factors[3]
    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    axes = np.asarray(figure.subplots(2, 2, sharex=True, sharey=True))
    for (row, column), ax in np.ndenumerate(axes):
        part = frame[(frame[rows.name] == 2 * row - 1) & (frame[columns.name] == 2 * column - 1)]
        for sign, marker, colour, dash in ((-1, "o", BLUE, "-"), (1, "D", ORANGE, "--")):
            shown = part[part[style.name] == sign]
            means = shown.groupby(along.name)["accuracy"].mean()
            level = style.low if sign < 0 else style.high
            ax.plot(
                means.index,
                means,
                dash,
                color=colour,
                marker=marker,
                markersize=6,
                label=f"{style.title} {level.words}",
            )
            ax.plot(shown[along.name], shown["accuracy"], marker, color=colour, markersize=3, linestyle="")
        levels = [(f.high if high else f.low).words for f, high in ((rows, row), (columns, column))]
        ax.set_title(f"{rows.title}: {levels[0]}; {columns.title}: {levels[1]}", fontsize=8.5)
        ax.set(xlim=(-1.5, 1.5), ylim=(0, 1.08 * frame["accuracy"].max()))
        ax.set_xticks([-1, 1], [along.low.words, along.high.words])
        ax.axhline(CHANCE, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    for ax in axes[:, 0]:
        ax.set_ylabel("val accuracy in %")
    for ax in axes[1]:
        ax.set_xlabel(along.title.lower())
    handles, words = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=2)
    return figure


@styled
def embedding_map(places: np.ndarray, split: Split, drawer: int = 0) -> Figure:
    """A character's drawing at its place on the map: places (classes, 2), one drawer's drawings."""
    figure = Figure(figsize=(WIDTH, WIDTH), layout="constrained")
    ax = figure.subplots()
    ax.set_axis_off()
    low, high = places.min(axis=0), places.max(axis=0)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.margins(0.03)
    side = split.images.shape[2]
    zoom = 0.62 * 28 / side * min(1.8, (659 / len(places)) ** 0.5)
    for place, image in zip(places, split.images[:, drawer], strict=True):
        picture = np.zeros((*image.shape, 4))
        picture[..., 3] = 1 - image / 255  # paper is transparent, so neighbours do not hide one another
        box = AnnotationBbox(OffsetImage(picture, zoom=zoom), tuple(place), frameon=False, pad=0)
        ax.add_artist(box)
    return figure


@styled
def neighbours(split: Split, queries: np.ndarray, nearest: np.ndarray) -> Figure:
    """A row a query: the drawing, then those nearest to it among all drawings by other people, with their class.

    queries (rows, 2) and nearest (rows, columns, 2): class and drawer. Right ones are framed thick, others thin.
    """
    rows, columns = nearest.shape[:2]
    figure = Figure(figsize=(WIDTH, 0.92 * rows + 0.4), layout="constrained")
    axes = np.asarray(figure.subplots(rows, columns + 1, squeeze=False))
    for row, (query, found) in enumerate(zip(queries, nearest, strict=True)):
        _picture(axes[row, 0], split, query, INK, 1.0)
        for ax, item in zip(axes[row, 1:], found, strict=True):
            right = item[0] == query[0]
            _picture(ax, split, item, BLUE if right else ORANGE, 3.0 if right else 1.0)
    axes[0, 0].set_title("query", fontsize=8.5)
    axes[0, 1].set_title("nearest", fontsize=8.5)
    return figure


@styled
def errors(split: Split, wrong: Sequence[tuple[tuple[int, int], tuple[int, int], tuple[int, int]]]) -> Figure:
    """Columns of three drawings: the query, the right answer, and the answer that was given; (class, drawer) each."""
    columns = max(1, len(wrong))
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    axes = np.asarray(figure.subplots(3, columns, squeeze=False))
    for column, triple in enumerate(wrong):
        for ax, item, colour in zip(axes[:, column], triple, (INK, BLUE, ORANGE), strict=True):
            _picture(ax, split, item, colour, 1.6)
        words = [_short(split.alphabets[item[0]]) for item in triple[1:]]
        axes[2, column].set_xlabel("\n".join(dict.fromkeys(words)), fontsize=6.5)
    for ax, label in zip(axes[:, 0], ("query", "right answer", "given answer"), strict=True):
        row_label(ax, label, 8.5)
    if not wrong:
        for ax in axes.ravel():
            ax.set_axis_off()
        figure.text(0.5, 0.5, "no error in these episodes", ha="center", va="center", color=GREY)
    return figure


@styled
def confusable(split: Split, pairs: Sequence[tuple[tuple[int, int], float]], drawings: int = 3) -> Figure:
    """Columns of two classes that are hard to tell apart: drawings of the one above, of the other below.

    pairs  from `embedding.confusable`: two classes, and the part of errors between them
    """
    drawings = min([drawings, *(split.sizes[number] for classes, _ in pairs for number in classes)])
    columns = len(pairs)
    figure = Figure(figsize=(WIDTH, 0.85 * 2 * drawings + 0.6), layout="constrained")
    axes = np.asarray(figure.subplots(2 * drawings, columns, squeeze=False))
    for column, (classes, error) in enumerate(pairs):
        for side, (number, colour) in enumerate(zip(classes, (BLUE, ORANGE), strict=True)):
            for drawer in range(drawings):
                _picture(axes[side * drawings + drawer, column], split, (number, drawer), colour, 1.6)
        words = [_short(split.alphabets[number]) for number in classes]
        axes[0, column].set_title(f"{100 * error:.0f} %", fontsize=8.5)
        axes[-1, column].set_xlabel("\n".join(dict.fromkeys(words)), fontsize=6.5)
    for row, label in ((drawings // 2, "one"), (drawings + drawings // 2, "the other")):
        row_label(axes[row, 0], label, 8.5)
    return figure


@styled
def examples(frame: pd.DataFrame) -> Figure:
    """Errors over the number of examples of each class, with their intervals.

    frame  from `embedding.by_shots`
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    ax = figure.subplots()
    reach = np.array([frame["accuracy"] - frame["low"], frame["high"] - frame["accuracy"]])[::-1]
    error = 100 - frame["accuracy"]
    ax.errorbar(frame["shots"], error, yerr=reach, fmt="o-", color=BLUE, capsize=2.5, markersize=6)
    for shots, value in zip(frame["shots"], error, strict=True):
        ax.annotate(f"{value:.1f}", (shots, value), (7, 6), textcoords="offset points", fontsize=8.5)
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xticks(frame["shots"], [str(shots) for shots in frame["shots"]])
    ax.set(ylim=(0, None), xlabel="examples of each of the 20 characters", ylabel="errors in %, strict")
    return figure


def _short(alphabet: str, most: int = 13) -> str:
    """An alphabet's name for a narrow column."""
    return shortened(alphabet.replace("_", " ").partition(" (")[0], most)


def _picture(ax: Axes, split: Split, item: Sequence[int], colour: str, frame: float) -> None:
    show_drawing(ax, split.images[item[0], item[1]], frame, colour)


def design_words(design: Factorial) -> str:
    """The factors and their levels in a sentence's part."""
    return listed(f"{f.title.lower()} ({f.low.words} or {f.high.words})" for f in design.factors)
