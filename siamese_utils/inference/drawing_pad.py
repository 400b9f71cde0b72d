"""A drawing pad in a notebook: what is drawn there goes to a model, and its answer stands under the drawing.

The pad is that of the report's page (report/templates/pad.js). Here the drawing is prepared and embedded in Python, as
every image of one's own is. Where nobody can draw, in a batch or in a page made from the notebook, a figure stands in
its place.
"""

from __future__ import annotations

import io
import warnings
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from ..errors import DataError, ParamsError, SiameseError, missing_extra
from ..report.live import SHOWN_WIDTH, is_live, show_errors_as_sentences
from ..report.network import characters, episodes
from ..report.rendering import piece, render
from ..text import printable, shortened
from .one_shot import ImageLike, OneShot, Support, divided, images_by_class

if TYPE_CHECKING:
    import keras

AnyModel: TypeAlias = "OneShot | str | Path | keras.Model"

# pixels a side: of a pad, and of a picture of the support
SIDE, PICTURE_SIDE = 280, 105
# letters of a class's name that a sentence has room for
LONGEST = 40
# classes that a page has room for
MOST = 60
# which of the page's episodes; nothing was chosen by what the model makes of it
EPISODE = 0
BUILT_IN = "built-in characters, drawn by this project's program (not Omniglot)"
EMPTY = "Draw a character: the pad is empty."
IN_WORDS = "Run this cell in JupyterLab to draw: the model then answers here."


def drawing_pad(model: AnyModel | None = None, support: Support | None = None) -> DrawingPad:
    """Make a pad to draw on in JupyterLab: the model says which of the support is most like the drawing.

    It also compares two drawings. A cell that ends with the pad shows it.

    model    a `OneShot`, a .keras file or a siamese Keras model; without one, the model that comes with the package
    support  what `OneShot.classify` takes: a folder that holds a folder of images for each class, or class → image or
             images; without one, twenty built-in characters

    Raises ParamsError for a model that reads no drawings, DataError for a support without images or with too many
    classes.

    >>> drawing_pad()
    A drawing pad for 20 built-in characters, drawn by this project's program (not Omniglot).
    Run this cell in JupyterLab to draw: the model then answers here.
    """
    show_errors_as_sentences()
    used = _one_shot(model)
    if not used.reads_drawings:
        raise ParamsError(f"{used.name} was trained on pictures, and a pad gives drawings: choose a model of drawings.")
    if support is None:
        split, asked = characters(), episodes().support[EPISODE, :, 0]
        classes: Mapping[str, Sequence[ImageLike]] = {split.characters[c]: [split.images[c, d]] for c, d in asked}
        return DrawingPad(used, classes, built_in=True)
    classes = images_by_class(support)
    if len(classes) > MOST:
        raise DataError(f"the support has {len(classes):,} classes, and a page has room for {MOST}: give fewer.")
    return DrawingPad(used, classes)


@dataclass(frozen=True, repr=False)
class DrawingPad:
    """A pad with its model and its support; `drawing_pad` makes one.

    classes   class → images
    built_in  whether they are the twenty of the page's first episode
    """

    model: OneShot
    classes: Mapping[str, Sequence[ImageLike]]
    built_in: bool = False
    _embedded: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        embeddings = self.model.embed(image for images in self.classes.values() for image in images)
        object.__setattr__(self, "_embedded", divided(embeddings, self.classes))

    def __repr__(self) -> str:
        kind = BUILT_IN if self.built_in else "classes"
        return f"A drawing pad for {len(self.classes)} {kind}. {IN_WORDS}"

    # ---- what the model says ---------------------------------------------------------------------

    def find(self, drawing: ImageLike) -> dict[str, float]:
        """Compare a drawing with each class → similarities in the support's order; DataError for an empty one."""
        found = dict(self.model.rank(self.model.embed([drawing])[0], self._embedded))
        return {name: found[name] for name in self.classes}

    def answer(self, asked: Any, buffers: Sequence[Any]) -> dict[str, Any]:
        """Answer what the page asks.

        asked    number, which comes back, and mode: "find" for one drawing among the support, "compare" for two
        buffers  the drawings, SIDE · SIDE bytes each, 0 paper to 255 ink

        said: a sentence. To "find" also values, a similarity for each class, and best, the number of the largest.
        """
        try:
            drawings = [255 - np.frombuffer(each, np.uint8).reshape(SIDE, SIDE) for each in buffers]
            mode, number = asked["mode"], asked["number"]
            if len(drawings) != {"find": 1, "compare": 2}[mode]:
                raise ValueError(mode)
        except (KeyError, TypeError, ValueError):
            number = asked.get("number") if isinstance(asked, dict) else None
            return {"number": number, "said": "What came from the page is no drawing: run this cell again."}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return {"number": number, **(self._found if mode == "find" else self._compared)(drawings)}
        except SiameseError as error:
            return {"number": number, "said": f"{error}"}

    def _found(self, drawings: Sequence[np.ndarray]) -> dict[str, Any]:
        if drawings[0].min() == 255:
            return {"said": EMPTY}
        values = list(self.find(drawings[0]).values())
        order = np.argsort(values)[::-1]
        first, *rest = (f"{self._labels[i]} ({values[i]:.2f})" for i in order[:3])
        then = f", then {' and '.join(rest)}" if rest else ""
        return {"said": f"Most like your drawing: {first}{then}.", "values": values, "best": int(order[0])}

    def _compared(self, drawings: Sequence[np.ndarray]) -> dict[str, Any]:
        drawn = [each.min() < 255 for each in drawings]
        if not all(drawn):
            return {"said": "Now draw in the other field." if any(drawn) else "Draw in both fields."}
        found = self.model.compare(*drawings)
        means = f": {'the same character' if found.same else 'two characters'} to the model. {found.words}"
        return {"said": f"Similarity {found.similarity:.2f}{means if found.words else ''}."}

    # ---- what a notebook shows -------------------------------------------------------------------

    @cached_property
    def _labels(self) -> list[str]:
        """What stands under the pictures: letters under the built-in characters, else the classes' names."""
        names = (shortened(printable(str(name)), LONGEST) for name in self.classes)
        return [chr(ord("A") + i) if self.built_in else name for i, name in enumerate(names)]

    @cached_property
    def widget(self) -> Any:
        """The pad as an anywidget, which Jupyter shows; it can stand in a layout of ipywidgets."""
        pictures = [_address(self.model.read(images[0], PICTURE_SIDE)) for images in self.classes.values()]
        shown = zip(self._labels, self.classes, pictures, strict=True)
        support = [{"label": label, "name": printable(str(name)), "picture": png} for label, name, png in shown]
        kind = f"The {len(support)} are {BUILT_IN}. " if self.built_in else ""
        made = _widget_class()(support=support, about=f"{kind}Model: {printable(self.model.name)}.")
        made.on_msg(lambda widget, asked, buffers: widget.send(self.answer(asked, buffers)))
        return made

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        live, missing = {}, ""
        if is_live():
            try:
                live = self.widget._repr_mimebundle_()[0]
            except ModuleNotFoundError as error:
                missing = piece("progress", missing_extra(error.name) or error)
        return {**live, "text/plain": repr(self), "text/html": f"{missing}{self._in_its_place()}"}

    def _in_its_place(self) -> str:
        """Write HTML for where nobody can draw: the words, and for built-in characters a question with its answer."""
        if not self.built_in:
            return piece("progress", repr(self))
        from ..report.plots import episode_figure, to_png

        split, asked = characters(), episodes()
        query = split.images[tuple(asked.query[EPISODE])]
        values = np.full((len(asked), asked.n_way, 1), np.nan)
        values[EPISODE, :, 0] = list(self.find(query).values())
        png = b64encode(to_png(episode_figure(split, asked, EPISODE, values, by="the model"))).decode()
        alt = "A drawing at the left; at the right twenty characters, each with its similarity to the drawing as a bar."
        words = f"{self!r} Here it answers for a built-in drawing. Model: {printable(self.model.name)}."
        return piece("image", png, alt, SHOWN_WIDTH, []) + piece("progress", words)


def _one_shot(model: AnyModel | None) -> OneShot:
    """Make a `OneShot` of the model; ParamsError for what is none."""
    if isinstance(model, OneShot):
        return model
    if model is None or isinstance(model, str | Path):
        return OneShot.load(model)
    used = OneShot(model)
    try:
        _ = used.size
    except (AttributeError, ValueError, TypeError) as error:
        raise ParamsError(
            "this is no siamese model: give a OneShot, a .keras file or a siamese Keras model."
        ) from error
    return used


def _address(pixels: np.ndarray) -> str:
    """Write a picture as a data: address."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "png", optimize=True)
    return f"data:image/png;base64,{b64encode(png.getvalue()).decode()}"


@lru_cache
def _widget_class() -> Any:
    """Make the widget's class when it is first needed: a batch needs no front-end."""
    from anywidget import AnyWidget
    from traitlets import List, Unicode

    inside = {
        "_esm": render("widget.js", {"side": SIDE}),
        "_css": render("widget.css", {}),
        "support": List().tag(sync=True),
        "about": Unicode().tag(sync=True),
    }
    return type("DrawingPadWidget", (AnyWidget,), inside)
