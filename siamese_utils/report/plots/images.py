"""Pictures of the network and of the data: block diagram, characters, drawers, pairs, an episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyBboxPatch, Rectangle

from ...data.dataset import Split
from ...data.pairs import Pairs
from ...evaluation.episodes import Episodes, is_correct
from ...models.summary import network_summary
from ...text import shortened
from .style import BLUE, GREY, INK, ORANGE, PALE_BLUE, PALE_GREY, WIDTH, Look, styled

if TYPE_CHECKING:
    import keras

# of a contact sheet
ALPHABETS, CHARACTERS = 6, 14


@styled
def block_diagram(model: keras.Model, left: np.ndarray, right: np.ndarray) -> Figure:
    """Draw the paper's Figure 1: two images, one backbone used twice, the l1 distance, a similarity.

    left, right  (height, width) uint8, the two images that enter; words and shapes are the model's.
    """
    blocks = _blocks(model)
    figure = Figure(figsize=(WIDTH, 3.3))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set(xlim=(0, 100), ylim=(2, 43))
    step = 62 / len(blocks)
    for middle, image, name in ((34.5, left, "X1"), (10.5, right, "X2")):
        inset = ax.inset_axes((0.5, middle - 5, 8.3, 10), transform=ax.transData)
        show_drawing(inset, image)
        size = left.shape[0]
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
    ax.annotate("", (42, 18.2), (42, 25.2), arrowprops={"arrowstyle": "<->", "color": INK, "linestyle": (0, (3, 2))})
    ax.text(43, 21.7, "the same weights: one backbone, used twice", va="center", fontsize=8, style="italic")
    _box(ax, 75.5, 19.5, 10, 6.5, "difference\n|f(X1) − f(X2)|", size=7)
    ax.text(82, 18.8, f"{model.get_layer('backbone').output_shape[-1]}", va="top", fontsize=7.5)
    _arrow(ax, (85.6, 22.7), (87.4, 22.7))
    _box(ax, 87.6, 19.5, 11.5, 6.5, "Dense 1, sigmoid\nsimilarity", size=7)
    ax.text(93.3, 18.8, "1: same class\n0: another class", ha="center", va="top", fontsize=7.5)
    return figure


@styled
def contact_sheet(split: Split) -> Figure:
    """Draw characters of some alphabets, spread over the split, by the first drawer; a row an alphabet."""
    names = list(dict.fromkeys(split.alphabets))
    chosen = [names[i] for i in np.unique(np.linspace(0, len(names) - 1, ALPHABETS).astype(int))]
    figure, axes = _sheet(len(chosen), 0.47)
    for ax, name in zip(axes, chosen, strict=True):
        members = [i for i, alphabet in enumerate(split.alphabets) if alphabet == name]
        show_drawing(ax, _row(split.images[members[:CHARACTERS], 0], CHARACTERS))
        row_label(ax, f"{shortened(name.replace('_', ' '), 24)}\n{len(members)} characters")
    return figure


@styled
def drawers_sheet(split: Split, classes: Sequence[int]) -> Figure:
    """Draw some characters by every drawer: a row a character, a column a drawer."""
    figure, axes = _sheet(len(classes), 0.4)
    for ax, number in zip(axes, classes, strict=True):
        show_drawing(ax, _row(split.images[number], split.drawers))
        row_label(ax, _class_name(split, number))
    axes[-1].set_xlabel(f"the same character by {split.drawers} drawers, one a column")
    return figure


@styled
def pairs_figure(split: Split, pairs: Pairs) -> Figure:
    """Draw a few training pairs side by side, negative ones above, positive ones below, with class and drawer."""
    rows = [np.flatnonzero(pairs.labels == label) for label in (0, 1)]
    columns = max(map(len, rows))
    figure = Figure(figsize=(WIDTH, 3.5), layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))
    axes = np.asarray(figure.subplots(2, columns, squeeze=False))
    for row, numbers, label in zip(axes, rows, ("negative, label 0", "positive, label 1"), strict=True):
        for ax in row[len(numbers) :]:
            ax.set_axis_off()
        for ax, number in zip(row, numbers, strict=False):
            left, right = pairs.left[number], pairs.right[number]
            show_drawing(ax, _row(split.images[[left[0], right[0]], [left[1], right[1]]], 2))
            words = list(dict.fromkeys(_class_name(split, number) for number in (left[0], right[0])))
            same_image = bool((left == right).all())
            words.append("the very same image" if same_image else f"drawers {left[1] + 1} and {right[1] + 1}")
            ax.set_title(label if ax is row[0] else "", fontsize=9)
            ax.set_xlabel("\n".join(words), fontsize=7.5)
    return figure


@styled
def episode_figure(
    split: Split,
    episodes: Episodes,
    number: int = 0,
    similarities: np.ndarray | None = None,
    *,
    by: str = "the network",
    reveal: bool = True,
) -> Figure:
    """Draw one N-way 1-shot episode: the query beside its support set; the right answer has a thick frame.

    similarities  (n_episodes, n_way, n_shot) between 0 and 1, from `evaluation.accuracy.similarities`: the network's
                  answer; its choice has a dashed frame
    by            what answered, in words
    reveal        if false, supports are numbered and nothing tells the answer
    """
    columns = min(5, episodes.n_way)
    rows = -(-episodes.n_way // columns)
    answered = None if similarities is None else similarities[number].mean(axis=-1)
    choice = -1 if answered is None else int(np.where(np.isnan(answered), -np.inf, answered).argmax())
    figure = Figure(figsize=(WIDTH, 0.3 + (1.02 if answered is None else 1.24) * rows), layout="constrained")
    query_part, support_part = np.asarray(figure.subfigures(1, 2, width_ratios=(1.6, columns)))
    query = episodes.query[number]
    ax = query_part.subplots()
    show_drawing(ax, split.images[query[0], query[1]])
    ax.set_title("query", loc="center")
    if reveal:
        ax.set_xlabel(f"{_class_name(split, query[0], lines=True)}\ndrawer {query[1] + 1}", fontsize=7.5)
    cells = np.asarray(support_part.subplots(rows, columns, squeeze=False)).ravel()
    for ax in cells[episodes.n_way :]:
        ax.set_axis_off()
    for way, ax in enumerate(cells[: episodes.n_way]):
        support = episodes.support[number, way, 0]
        same_class, answer = support[0] == query[0], way == episodes.target[number]
        frame, colour = (4, INK) if answer and reveal else (0.8, GREY)
        show_drawing(ax, split.images[support[0], support[1]], frame, colour)
        words = "right" if answer else "same class again" if same_class else ""
        words += ", the query itself" if (support == query).all() else ""
        if not reveal:
            ax.set_xlabel(str(way + 1), fontsize=8.5)
        elif answered is None:
            ax.set_xlabel(f"{words or 'other class'}, drawer {support[1] + 1}", fontsize=7)
        else:
            _similarity_bar(ax, way + 1, float(answered[way]), words, chosen=way == choice)
    title = f"support set: {episodes.n_way} ways, 1 shot"
    if similarities is not None:
        right = is_correct(similarities, episodes)[number]
        tie = " by a tie" if choice == episodes.target[number] else ""
        title += f"; {by} is right" if right else f"; {by} is wrong{tie}"
    support_part.suptitle(title, fontsize=9.5, fontweight="bold")
    return figure


def _similarity_bar(ax: Axes, number: int, value: float, words: str, *, chosen: bool) -> None:
    """Write a support's number and similarity between 0 and 1 under its drawing, with a bar; frame the choice."""
    place: Look = {"transform": ax.transAxes, "clip_on": False, "linewidth": 0}
    ax.add_patch(Rectangle((0, -0.2), 1, 0.07, facecolor=PALE_GREY, **place))
    ax.add_patch(Rectangle((0, -0.2), float(np.nan_to_num(value)), 0.07, facecolor=BLUE, **place))
    if chosen:
        look: Look = {**place, "linewidth": 2.4, "linestyle": (0, (3, 1.2)), "edgecolor": ORANGE}
        ax.add_patch(Rectangle((-0.07, -0.07), 1.14, 1.14, fill=False, **look))
    words = ", ".join(filter(None, [words, "chosen" if chosen else ""]))
    ax.set_xlabel(f"{number}: {value:.3f}\n{words}".rstrip(), fontsize=7.5, labelpad=12, linespacing=1.1)


def _blocks(model: keras.Model) -> list[tuple[str, str]]:
    """Divide the backbone into a few boxes: (words, output shape), layers of one block together."""
    blocks: list[tuple[list[str], str]] = []
    for name, output, _ in network_summary(model).itertuples(index=False):
        if name in ("l1 distance", "similarity", "image"):
            continue
        if name.startswith(("Conv", "Dense", "Flatten")) or not blocks:
            blocks.append(([], ""))
        words, _ = blocks.pop()
        blocks.append(([*words, name], output))
    return [
        ("\n".join(w.replace(", sigmoid", "\nsigmoid").replace(", ReLU", "\nReLU") for w in words), shape)
        for words, shape in blocks
    ]


def _sheet(rows: int, each: float) -> tuple[Figure, np.ndarray]:
    """Make axes for rows of drawings; each: the height of a row in inches."""
    figure = Figure(figsize=(WIDTH, 0.45 + each * rows), layout="compressed")
    return figure, figure.subplots(rows, 1, squeeze=False)[:, 0]


def _box(ax: Axes, x: float, y: float, width: float, height: float, words: str, size: float) -> None:
    look: Look = {"boxstyle": "round,pad=0,rounding_size=0.8", "facecolor": PALE_BLUE, "edgecolor": INK}
    ax.add_patch(FancyBboxPatch((x, y), width, height, **look))
    ax.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=size, linespacing=1.35)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0})


def show_drawing(ax: Axes, image: np.ndarray, frame: float = 0.8, colour: str = GREY) -> None:
    """Show a drawing without axes, in a frame; image (height, width) uint8, 0 ink … 255 paper."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set(visible=True, linewidth=frame, edgecolor=colour)


def _row(images: np.ndarray, places: int) -> np.ndarray:
    """Put images (n, height, width) side by side with thin lines between, filled up with paper to `places`."""
    height, width = images.shape[1:]
    gap = max(1, width // 28)
    row = np.full((height, places * (width + gap) - gap), 255, np.uint8)
    for place, image in enumerate(images[:places]):
        row[:, place * (width + gap) : place * (width + gap) + width] = image
        if place:
            row[:, place * (width + gap) - gap : place * (width + gap)] = 190
    return row


def row_label(ax: Axes, words: str, size: float = 8) -> None:
    """Write words to the left of a row of drawings."""
    ax.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=size)


def _class_name(split: Split, number: int, lines: bool = False) -> str:
    alphabet, _, character = split.characters[number].rpartition("/")
    name = shortened(alphabet.replace("_", " "), 19)
    return f"{name}{chr(10) if lines else ', '}no. {character.removeprefix('character')}"
