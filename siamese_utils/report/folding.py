"""What a reader does not need at first is folded on the page, and what it says elsewhere is left out.

A part of a notebook, from one ## heading to the next, is open if it is the first, or shows a figure, a verdict or an
error. A cell tagged "open" or "fold" decides otherwise for its part. The cells of a solution are folded together, and
so are neighbouring questions, and cells tagged "aside" under the bold words that they begin with.
"""

from bs4 import BeautifulSoup, Tag

from ..text import how_many
from .rendering import piece

OPEN = "img:not(.solution img), ul.claims, div.error, div.celltag_papermill-error-cell-tag, div.celltag_open"
FOLD = "div.celltag_fold"
SOLUTION, ASIDE, QUESTION = "div.celltag_solution", "div.celltag_aside", "div.text-cell:has(details.choice)"
# said once, at the top
SAID = "p.about, div.banner.alert, p.caption.protocol"


def shorten(soup: BeautifulSoup) -> None:
    """Leave out what the top of the page says, fold tables under their captions, and fold what figures come from."""
    for said in soup.select(SAID):
        said.decompose()
    for empty in soup.select("div.rich:empty"):
        empty.decompose()
    # the finding stands first in its section: once is enough
    for number, finding in enumerate(soup.select("details.finding")):
        if number:
            finding.decompose()
        elif summary := finding.summary:
            finding["open"], summary.string = "", "What we found"
    for rule in soup.select("details.rule"):
        rule.replace_with(BeautifulSoup(piece("see_rule"), "html.parser"))
    for origin in soup.select("p.figure-origin > small, caption > small"):
        _fold_origin(soup, origin)
    for table in soup.select("table.dataframe"):
        _fold_table(soup, table)


def shorten_notebook(soup: BeautifulSoup, *, failed: bool) -> None:
    """Do so for a notebook, whose Table 1 stands at the top, and fold its parts; all are open where it failed."""
    for table in soup.select("table.table1"):
        table.replace_with(BeautifulSoup(piece("see_table1"), "html.parser"))
    for about in soup.select("p.table1-legend, details.run-ids"):
        about.decompose()
    for claims in soup.select("ul.claims"):
        count = len(claims.find_all("li", recursive=False))
        _fold(soup, claims, "fold", f"{how_many(count, 'claim')} of the paper, with verdict and reason")
    shorten(soup)
    _fold_neighbours(soup, "solution", SOLUTION, "Solution")
    _fold_neighbours(soup, "question", QUESTION, "Check yourself")
    _fold_neighbours(soup, "aside", ASIDE)
    for fold in soup.select("details.fold:has(.error)"):
        fold["open"] = ""
    _fold_parts(soup, failed=failed)


def _fold_neighbours(soup: BeautifulSoup, kind: str, cells: str, title: str = "") -> None:
    """Fold neighbouring cells of a kind together; without a title, each that begins with bold words begins a fold."""
    for cell in soup.select(cells):
        bold, before = cell.select_one("p:first-child > strong:first-child"), cell.find_previous_sibling()
        if before and kind in before.get_attribute_list("class") and (title or not bold):
            before.append(cell)
        else:
            _fold(soup, cell, f"fold {kind}", title or (bold.get_text().rstrip(".") if bold else "More"))


def _fold_origin(soup: BeautifulSoup, origin: Tag) -> None:
    line_break, parent = origin.find_previous_sibling("br"), origin.parent
    if line_break:
        line_break.decompose()
    if parent and parent.name == "p":
        # a paragraph cannot hold a disclosure
        parent.name = "div"
    origin.name = "span"
    _fold(soup, origin, "source", "Source")


def _fold_table(soup: BeautifulSoup, table: Tag) -> None:
    caption = table.caption
    words = [node.extract() for node in list(caption.contents) if not isinstance(node, Tag)] if caption else []
    # its box scrolls
    box = table.find_parent(class_="scroll") or table
    assert isinstance(box, Tag)
    first, full_stop, rest = " ".join("".join(map(str, words)).split()).partition(". ")
    if caption and rest:
        caption.insert(0, f"{rest} ")
    _fold(soup, box, "fold", f"Table: {first or 'all rows'}{full_stop.strip()}")


def _fold(soup: BeautifulSoup, content: Tag, kind: str, words: str) -> None:
    fold = content.wrap(soup.new_tag("details", attrs={"class": kind}))
    summary = soup.new_tag("summary")
    summary.string = words
    fold.insert(0, summary)


def _fold_parts(soup: BeautifulSoup, *, failed: bool) -> None:
    for inner in soup.select("div.text-cell > h3"):
        _split(soup, inner)
    starts = [(cell, heading) for cell in soup.select("div.text-cell") if (heading := _heading_of(cell))]
    for number, (cell, heading) in enumerate(starts):
        following: list[Tag] = []
        for sibling in cell.find_next_siblings():
            if _heading_of(sibling):
                break
            following.append(sibling)
        part, summary = soup.new_tag("details", attrs={"class": "part"}), soup.new_tag("summary")
        cell.insert_before(part)
        # a summary holds no link
        for link in heading.select(".anchor"):
            link.decompose()
        summary.append(heading.extract())
        part.extend([summary, cell, *following])
        shows = part.select_one(OPEN) or (number == 0 and not part.select_one(FOLD))
        if failed or (shows and not part.select_one(FOLD)):
            part["open"] = ""


def _heading_of(cell: Tag) -> Tag | None:
    """Return the heading that a cell begins with, if it begins a part."""
    first = cell.find(True, recursive=False)
    return first if isinstance(first, Tag) and first.name == "h3" else None


def _split(soup: BeautifulSoup, heading: Tag) -> None:
    """Let a heading be the first in its cell."""
    cell = heading.parent
    assert cell, "a cell's heading"
    if not heading.find_previous_sibling():
        return
    rest = soup.new_tag("div", attrs={"class": " ".join(cell["class"])})
    cell.insert_after(rest)
    rest.extend([heading, *heading.find_next_siblings()])
