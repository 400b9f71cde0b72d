"""The wing's templates, in one Jinja environment: HTML is escaped, Markdown and plain sentences are not."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from ..config import PAPER_ITERATIONS
from ..text import JOIN, dataset_words, duration, how_many, listed, number, seed_words, signed

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template's values; a value that is missing is an error."""
    return _environment().get_template(template).render(values)


def render_html(template: str, **values: Any) -> Markup:
    """Do the same for an HTML template: the result is not escaped again where it becomes part of a page."""
    return Markup(render(template, values))


def piece(name: str, *values: Any) -> Markup:
    """Call one macro of pieces.html.j2 with its values."""
    macro = getattr(_environment().get_template("pieces.html.j2").module, name)
    return Markup(macro(*values))


@lru_cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (dataset_words, duration, how_many, listed, number, seed_words, signed)
    environment.filters.update({function.__name__: function for function in words})
    environment.tests["nan"] = lambda value: bool(np.isnan(value))
    environment.filters["thousands"] = "{:,}".format
    environment.filters["unbroken"] = lambda interval: interval.replace("–", f"{JOIN}–{JOIN}")
    environment.globals["paper_iterations"] = PAPER_ITERATIONS
    return environment
