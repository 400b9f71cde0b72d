"""What a reader does not need at first is folded on the page, and what it says elsewhere is left out.

A part of a notebook, from one ## heading to the next, is open if it is the first, or shows a figure, a verdict or an
error. A cell tagged "open" or "fold" decides otherwise for its part. The cells of a solution are folded together.
"""

from bs4 import BeautifulSoup, Tag

from ..text import how_many
from .rendering import piece

# rows; a longer table is folded under its caption
LONG = 3
OPEN = "img:not(.solution img), ul.claims, div.error, div.celltag_papermill-error-cell-tag, div.celltag_open"
FOLD = "div.celltag_fold"
SOLUTION = "div.celltag_solution"
# said once, at the top
SAID = "p.about, div.banner.alert, p.caption.protocol"


def shorten(soup: BeautifulSoup) -> None:
    """Leave out what the top of the page says, and fold where figures and tables come from; fold long tables."""
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
        if len(table.select("tbody > tr")) > LONG:
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
    _fold_solutions(soup)
    _fold_parts(soup, failed=failed)


def _fold_solutions(soup: BeautifulSoup) -> None:
    """Fold the neighbouring cells of a solution together, open where one failed."""
    for cell in soup.select(SOLUTION):
        before = cell.find_previous_sibling()
        if before and "solution" in before.get_attribute_list("class"):
            before.append(cell)
        else:
            _fold(soup, cell, "fold solution", "Solution")
    for fold in soup.select("details.solution:has(.error)"):
        fold["open"] = ""


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
    _fold(soup, box, "long-table", f"Table: {' '.join(''.join(map(str, words)).split()) or 'all rows'}")


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
