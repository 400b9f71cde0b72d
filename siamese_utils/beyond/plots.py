"""The figures beyond the paper: methods ranked, the factorial, a map of embeddings, drawings in rows, more examples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..data.dataset import Split
from ..evidence.estimates import CHANCE
from ..evidence.factorial import Factorial
from ..report.plots import style
from ..report.plots.images import row_label, show_drawing
from ..report.plots.style import BLUE, DOTTED, GREY, INK, ORANGE, WIDTH, Look, empty_figure, new_figure, styled
from ..text import shortened
from .analysis import Item

# of each class of a pair, and letters of an alphabet's name under it
DRAWINGS, LONGEST = 3, 13


@styled
def method_ranking(ranked: pd.DataFrame, reference: str) -> Figure:
    """Draw each method's accuracy with its interval, its seeds as small dots, the reference as a line.

    ranked  from `ranking.rank_methods`, its order kept
    """
    if ranked.empty:
        return empty_figure("no finished run yet", 1.1)
    xlabel = "accuracy in % on held-out alphabets, strict, 1-shot 20-way; small dots are seeds"
    figure, ax = style.dot_rows(list(ranked["title"]), ylabel="", xlabel=xlabel, each=0.33)
    for place, values in enumerate(ranked["by_seed"]):
        ax.plot(values, [place] * len(values), "o", color=GREY, markersize=3)
    _with_intervals(ax, np.arange(len(ranked)), ranked, marker="o", color=BLUE)
    for _, own in ranked[ranked["name"] == reference].iterrows():
        ax.axvline(own["accuracy"], color=ORANGE, linewidth=1.2, label=f"{own['title']}: the paper’s loss")
    style.chance_line(ax, upright=True)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def factorial_effects(found: pd.DataFrame, design: Factorial) -> Figure:
    """Draw main effects and interactions in points with 95 % intervals; filled where p is below 0.05.

    found  from `factorial.effects`, whose p is after Holm's correction
    """
    factors = {factor.name: factor for factor in design.factors}
    labels = []
    for first, *others in found["factors"]:
        factor = factors[first]
        words = f"{factor.title}: {factor.high.words} minus {factor.low.words}"
        labels.append(" × ".join(factors[name].title for name in (first, *others)) if others else words)
    xlabel = "effect on val accuracy in points, with its 95 % interval"
    figure, ax = style.dot_rows(labels, ylabel="", xlabel=xlabel, each=0.32)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xlim(auto=True)
    kind, settled = found["factors"].map(len), found["p"] < 0.05
    for factors_of, marker, colour, words in ((1, "o", BLUE, "main effect"), (2, "D", ORANGE, "interaction")):
        for fill, chosen in (("full", settled), ("none", ~settled)):
            part = found[chosen & (kind == factors_of)]
            _with_intervals(ax, part.index, part, "effect", marker=marker, color=colour, fillstyle=fill)
        ax.plot([], [], marker, color=colour, markersize=6, label=words)
    ax.plot([], [], "o", color=INK, fillstyle="none", markersize=6, label="open: not settled (Holm)")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@styled
def factorial_cells(frame: pd.DataFrame, design: Factorial) -> Figure:
    """Draw every combination's accuracy: two factors a panel grid, two inside; seeds as dots, their mean as a line.

    frame  from `factorial.accuracies`, of a design of four factors
    """
    rows, columns, along, inside = design.factors
    figure = new_figure(5.0)
    axes = np.asarray(figure.subplots(2, 2, sharex=True, sharey=True))
    for (row, column), ax in np.ndenumerate(axes):
        part = frame[(frame[rows.name] == 2 * row - 1) & (frame[columns.name] == 2 * column - 1)]
        for sign, level, form in ((-1, inside.low, ("o", BLUE, "-")), (1, inside.high, ("D", ORANGE, "--"))):
            marker, colour, dash = form
            shown = part[part[inside.name] == sign]
            means, label = shown.groupby(along.name)["accuracy"].mean(), f"{inside.title} {level.words}"
            ax.plot(means.index, means, dash, color=colour, marker=marker, markersize=6, label=label)
            ax.plot(shown[along.name], shown["accuracy"], marker, color=colour, markersize=3, linestyle="")
        levels = [(f.high if high else f.low).words for f, high in ((rows, row), (columns, column))]
        ax.set_title(f"{rows.title}: {levels[0]}; {columns.title}: {levels[1]}", fontsize=8.5)
        ax.set(xlim=(-1.5, 1.5), ylim=(0, 1.08 * frame["accuracy"].max()))
        ax.set_xticks([-1, 1], [along.low.words, along.high.words])
        ax.axhline(CHANCE, **DOTTED)
        ax.set(ylabel="" if column else "val accuracy in %", xlabel=along.title.lower() if row else "")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@styled
def embedding_map(positions: np.ndarray, split: Split) -> Figure:
    """Draw characters, by the first drawer, at their places on the map: positions (classes, 2).

    A character whose drawing would overlap one before it is a dot.
    """
    figure = new_figure(WIDTH)
    ax = figure.subplots()
    ax.set_axis_off()
    low, high = positions.min(axis=0), positions.max(axis=0)
    places = (positions - low) / np.maximum(high - low, 1e-9)
    side = min(0.033, 0.9 / len(places) ** 0.5)
    drawn: list[np.ndarray] = []
    dots = []
    for place, image in zip(places, split.look_up(np.arange(split.classes), np.array(0)), strict=True):
        if drawn and (np.abs(np.array(drawn) - place).max(axis=1) < 1.05 * side).any():
            dots.append(place)
            continue
        drawn.append(place)
        box = (place[0] - side / 2, place[0] + side / 2, place[1] - side / 2, place[1] + side / 2)
        ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=box, interpolation="antialiased", zorder=2)
    if dots:
        ax.plot(*np.array(dots).T, ".", color=GREY, markersize=2.5, zorder=1)
    ax.set(xlim=(-side, 1 + side), ylim=(-side, 1 + side), aspect="equal")
    return figure


@styled
def nearest_rows(split: Split, queries: np.ndarray, nearest: np.ndarray) -> Figure:
    """Draw a row for each query: the drawing, then those nearest to it among all drawings by other people.

    queries (rows, 2) and nearest (rows, columns, 2): class and drawer. Right ones are framed thick, others thin.
    """
    grid = [
        [(query, INK, 1.0), *((i, BLUE, 3.0) if i[0] == query[0] else (i, ORANGE, 1.0) for i in found)]
        for query, found in zip(queries.tolist(), nearest.tolist(), strict=True)
    ]
    figure, axes = _drawings(split, grid, 0.92 * len(grid) + 0.4)
    axes[0, 0].set_title("query", fontsize=8.5)
    axes[0, 1].set_title("nearest", fontsize=8.5)
    return figure


@styled
def mistake_columns(split: Split, wrong: Sequence[tuple[Item, Item, Item]]) -> Figure:
    """Draw a column for each mistake: the query, the right answer, and the answer that was given."""
    if not wrong:
        return empty_figure("no error in these episodes", 2.8)
    grid = [[(three[row], colour, 1.6) for three in wrong] for row, colour in enumerate((INK, BLUE, ORANGE))]
    figure, axes = _drawings(split, grid, 2.8)
    for ax, three in zip(axes[-1], wrong, strict=True):
        _name_alphabets(ax, split, [number for number, _ in three[1:]])
    for ax, words in zip(axes[:, 0], ("query", "right answer", "given answer"), strict=True):
        row_label(ax, words, 8.5)
    return figure


@styled
def hardest_pair_columns(split: Split, pairs: Sequence[tuple[tuple[int, int], float]]) -> Figure:
    """Draw a column for each pair of classes that are hard to tell apart: the one above, the other below.

    pairs  from `analysis.hardest_pairs`: two classes, and the error rate between them
    """
    drawings = min([DRAWINGS, *(split.sizes[number] for classes, _ in pairs for number in classes)])
    grid = [
        [((classes[side], drawer), colour, 1.6) for classes, _ in pairs]
        for side, colour in enumerate((BLUE, ORANGE))
        for drawer in range(drawings)
    ]
    figure, axes = _drawings(split, grid, 0.85 * len(grid) + 0.6)
    for column, (classes, error) in enumerate(pairs):
        axes[0, column].set_title(f"{100 * error:.0f} %", fontsize=8.5)
        _name_alphabets(axes[-1, column], split, classes)
    for row, words in ((drawings // 2, "one"), (drawings + drawings // 2, "the other")):
        row_label(axes[row, 0], words, 8.5)
    return figure


@styled
def errors_by_shots(frame: pd.DataFrame) -> Figure:
    """Draw errors over the number of examples of each class, with their intervals.

    frame  from `analysis.accuracy_by_shots`
    """
    figure = new_figure(3.2)
    ax = figure.subplots()
    errors = (100 - frame[["accuracy", "high", "low"]]).set_axis(["accuracy", "low", "high"], axis=1)
    _with_intervals(ax, frame["shots"], errors, upright=True, color=BLUE, marker="o", linestyle="-")
    for shots, value in zip(frame["shots"], errors["accuracy"], strict=True):
        ax.annotate(f"{value:.1f}", (shots, value), (7, 6), textcoords="offset points", fontsize=8.5)
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xticks(frame["shots"], [str(shots) for shots in frame["shots"]])
    ax.set(ylim=(0, None), xlabel="examples of each of the 20 characters", ylabel="errors in %, strict")
    return figure


@styled
def accuracy_by_ways(frame: pd.DataFrame) -> Figure:
    """Draw each method's accuracy over the number of classes, with intervals over classes and seeds, and chance.

    frame  from `faces.accuracy_by_ways`
    """
    if frame.empty:
        return empty_figure("no finished run yet", 1.1)
    figure = new_figure(3.6)
    ax = figure.subplots()
    for number, (title, own) in enumerate(frame.groupby("title", sort=False)):
        colour, marker, dash = [(GREY, "s", ":"), (ORANGE, "D", "--"), (BLUE, "o", "-")][number % 3]
        look: Look = {"color": colour, "marker": marker, "linestyle": dash, "label": title}
        # beside one another, so that no interval hides another
        _with_intervals(ax, own["ways"] + 0.08 * (number - 1), own, upright=True, **look)
    ways = sorted(set(frame["ways"]))
    ax.plot(ways, [100 / n for n in ways], label="chance", **DOTTED)
    ax.set_xticks(ways)
    ax.set(ylim=(0, 103), xlabel="people to choose from, one picture of each", ylabel="accuracy in %, strict")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled
def confusion_tables(tables: Mapping[str, tuple[Sequence[str], np.ndarray]]) -> Figure:
    """Draw who is taken for whom, a panel a method: errors in % where the query's class meets one other.

    tables  title → `faces.confusions`
    """
    if not tables:
        return empty_figure("no finished run yet", 1.1)
    figure = new_figure(0.5 + WIDTH / len(tables))
    axes = np.asarray(figure.subplots(1, len(tables), squeeze=False))[0]
    top = max(1.0, *(float(np.nanmax(errors)) for _, errors in tables.values()))
    for ax, (title, (names, errors)) in zip(axes, tables.items(), strict=True):
        told = [[f"{value:.0f}" if value >= 0.5 else "" for value in row] for row in errors.tolist()]
        look: Look = {
            "cmap": "Blues",
            "vmin": 0,
            "vmax": top,
            "square": True,
            "cbar": False,
            "annot_kws": {"size": 7.5},
        }
        sns.heatmap(errors, annot=told, fmt="", xticklabels=names, yticklabels=names, ax=ax, **look)
        diagonal = np.arange(len(names)) + 0.5
        ax.plot(diagonal, diagonal, linestyle="", marker="x", color=GREY, markersize=4)
        ax.grid(False)
        ax.set(title=title, xlabel="the other person")
        ax.tick_params("x", rotation=90)
        ax.tick_params("y", rotation=0)
    axes[0].set_ylabel("who is asked about")
    return figure


def _with_intervals(ax: Axes, places: ArrayLike, frame: pd.DataFrame, value: str = "accuracy", **look: Any) -> None:
    """Draw markers of a frame's column, with whiskers from `low` to `high`."""
    style.with_intervals(ax, places, frame[value], frame["low"], frame["high"], markersize=6, **look)


def _drawings(
    split: Split, grid: Sequence[Sequence[tuple[Sequence[int], str, float]]], height: float
) -> tuple[Figure, np.ndarray]:
    """Draw a grid of drawings: class and drawer, colour and width of the frame → figure, axes (rows, columns)."""
    figure = new_figure(height)
    axes = np.asarray(figure.subplots(len(grid), len(grid[0]), squeeze=False))
    for ax, ((number, drawer), colour, frame) in zip(axes.ravel(), (cell for row in grid for cell in row), strict=True):
        show_drawing(ax, split.look_up(np.array(number), np.array(drawer)), frame, colour)
    return figure, axes


def _name_alphabets(ax: Axes, split: Split, classes: Sequence[int]) -> None:
    """Write the alphabets of some classes, each once, under a drawing."""
    names = (split.alphabets[number].replace("_", " ").partition(" (")[0] for number in classes)
    ax.set_xlabel("\n".join(dict.fromkeys(shortened(name, LONGEST) for name in names)), fontsize=6.5)
