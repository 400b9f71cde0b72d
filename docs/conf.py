"""The documentation as a site, by `make docs`: every page is a Markdown file of the repository, read from its root.

The front page is the README. The reference of docs/api.md is made from the docstrings of the package's public face.
A link to a file that is no page leads to it in the checkout, in whose build/docs/ the site lies.
"""

import os
import pkgutil
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import download_reference, pending_xref

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import siamese_utils as su  # noqa: E402

project = "Architectures for Siamese Neural Networks, run again"
copyright = "2026, the authors of the Siamese paper companion"
version = release = su.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md"]
myst_heading_anchors = 4
default_role = "code"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = project
html_copy_source = False

CONTENTS = """
```{toctree}
:hidden:
:glob:

docs/running
docs/models
docs/add-an-experiment
RESULTS
docs/architecture
docs/design
docs/api
docs/*
CONTRIBUTING
CHANGELOG
NOTICE
```
"""


def reference() -> str:
    """Write the public face as directives: its functions in the order of a run, then its modules."""
    lines = ["## Functions", "```{eval-rst}"]
    for name in su.FUNCTIONS:
        kind = "class" if isinstance(getattr(su, name), type) else "function"
        lines += [f".. auto{kind}:: siamese_utils.{name}", *(["   :members:"] if kind == "class" else []), ""]
    lines += ["```", "", "## Modules"]
    for name, place in su.MODULES.items():
        module = import_module(f"siamese_utils.{place}")
        lines += [f"### {name}", "```{eval-rst}", f".. automodule:: {module.__name__}", "   :members:", "```"]
        if hasattr(module, "__path__") and not hasattr(module, "__all__"):
            for inner in pkgutil.iter_modules(module.__path__):
                inside = f"{module.__name__}.{inner.name}"
                lines += [
                    f"#### {name}.{inner.name}",
                    "```{eval-rst}",
                    f".. automodule:: {inside}",
                    "   :members:",
                    "```",
                ]
    return "\n".join(lines)


def complete_source(app, docname, source):
    """Add the contents to the front page, and to the reference what autodoc reads."""
    source[0] += {"README": CONTENTS, "docs/api": f"\n{reference()}\n"}.get(docname, "")


def read_docstring(app, what, name, obj, options, lines):
    """Turn a docstring, plain text with `code`, into reStructuredText, paragraph by paragraph."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = [*"\n\n".join(map(paragraph, paragraphs)).splitlines(), ""]


def paragraph(text):
    """Keep an example; turn an indented block into a formula, lines of "name  words" into a list, others into text."""
    if text.startswith(">>>"):
        return text
    if text.startswith("    "):
        return f"::\n\n{text}"
    entries = [re.fullmatch(r"(\S+(?:, \S+)*)  +(.*)", line) for line in re.sub(r"\n +", " ", text).split("\n")]
    return "\n".join(f"- ``{entry[1]}``: {escape(entry[2])}" for entry in entries) if all(entries) else escape(text)


def escape(text):
    """Escape markup characters outside `code`."""
    parts = re.split(r"(`[^`]+`)", re.sub(r"\n +", "\n", text))
    return "".join(part if part[:1] == "`" else re.sub(r"([*|\\_])", r"\\\1", part) for part in parts)


def lead_to_the_checkout(app, doctree):
    """Make a link to a file or folder that is not a page relative, from the site to the checkout."""
    here = Path(app.env.doc2path(app.env.docname))
    page = Path(app.outdir) / f"{app.env.docname}.html"
    for link in list(doctree.findall(lambda node: isinstance(node, download_reference | pending_xref))):
        target = (here.parent / link.get("reftarget", "")).resolve()
        if link.get("refdomain") != "py" and target.exists() and target.is_relative_to(ROOT) and target.suffix != ".md":
            address = os.path.relpath(target, page.parent)
            link.replace_self(nodes.reference("", "", *link.children, refuri=address, internal=False))


def write_front_page(app, exception):
    """Copy the README's page to build/docs/index.html."""
    if exception is None:
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app):
    app.add_lexer("mermaid", TextLexer)
    app.connect("source-read", complete_source)
    app.connect("autodoc-process-docstring", read_docstring)
    # before downloads are copied
    app.connect("doctree-read", lead_to_the_checkout, priority=400)
    app.connect("build-finished", write_front_page)
