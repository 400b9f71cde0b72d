"""HTML from elsewhere, made safe for the page: what a notebook's cells put out may say everything and run nothing.

nh3 keeps the tags and attributes of the lists below and drops the rest, with what scripts and styles hold. The page's
Content-Security-Policy (templates/page.html.j2) stands behind it.
"""

import json
import re
from base64 import b64encode
from hashlib import sha256

import nh3

# of presentation MathML: neither links nor HTML inside
MATHML = {
    "math", "merror", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom", "mprescripts",
    "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr",
    "munder", "munderover", "none",
}  # fmt: skip
MATHML_ATTRIBUTES = {
    "accent", "accentunder", "columnalign", "columnlines", "columnspan", "depth", "display", "displaystyle", "fence",
    "form", "height", "largeop", "linebreak", "linethickness", "lspace", "mathvariant", "maxsize", "minsize",
    "movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy",
    "symmetric", "voffset", "width",
}  # fmt: skip
ATTRIBUTES = {
    "*": {"aria-hidden", "aria-label", "class", "dir", "id", "lang", "role", "style", "title"},
    "a": {"href"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"alt", "data-notes", "height", "src", "width"},
    "li": {"value"},
    "ol": {"reversed", "start"},
    # pandas' own border tells its tables apart
    "table": {"border"},
    "td": {"colspan", "data-label", "headers", "rowspan"},
    "th": {"colspan", "data-label", "headers", "rowspan", "scope"},
    "time": {"datetime"},
    **dict.fromkeys(MATHML, MATHML_ATTRIBUTES),
}
# none takes an address, and none moves what it styles over something else
STYLES = {
    "color", "background-color", "flex-grow", "font-family", "font-size", "font-style", "font-weight", "text-align",
    "text-decoration", "vertical-align", "white-space", "width", "max-width", "min-width",
}  # fmt: skip
# what they hold is not text to read, and goes with them
SILENT = {
    "annotation", "annotation-xml", "iframe", "noembed", "noframes", "noscript", "object", "plaintext", "script",
    "select", "style", "svg", "template", "textarea", "title", "xmp",
}  # fmt: skip
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")


def sanitize(html: str) -> str:
    """Close the HTML's tags, and leave out whatever could run, load, or lie over the rest of the page."""
    return _CLEANER.clean(readable_text(html))


def readable_text(text: str) -> str:
    """Return the text as UTF-8 can hold it: halves of characters, as JSON may name them, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def script_hash(script: str) -> str:
    """Name a script of the page's own as a Content-Security-Policy does."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _keep(tag: str, name: str, value: str) -> str | None:
    """Return an attribute's value, or None where it is not to be kept; data: addresses are for pictures alone."""
    if name in ("href", "src") and value.strip().lower().startswith("data:"):
        return value if tag == "img" and PICTURE.fullmatch(value) else None
    if name == "data-notes":
        return value if _is_notes(value) else None
    return value


def _is_notes(value: str) -> bool:
    """Say whether these are a figure's notes, [[x, y, words], …], as figures.js reads them."""
    try:
        notes = json.loads(value)
        return all(isinstance(x + y, int | float) and isinstance(words, str) for x, y, words in notes)
    except (ValueError, TypeError, RecursionError):
        return False


_CLEANER = nh3.Cleaner(
    tags=(nh3.ALLOWED_TAGS - {"area", "map"}) | MATHML | {"tfoot"},
    clean_content_tags=SILENT,
    attributes=ATTRIBUTES,
    attribute_filter=_keep,
    url_schemes={"http", "https", "mailto", "data"},
    filter_style_properties=STYLES,
    link_rel=None,
)
