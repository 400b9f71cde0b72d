"""Table 1: the paper's figures, the author's log and our runs side by side, each row with its verdict.

Accuracies are in %, 1-shot 20-way, under the author's protocol unless a column says "strict". A row's verdict is on
what the table says about it: how it stands to the baseline, and its figure (`claims.row_claim`, `verdicts.is_correct`).
"""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from ..config import Profile
from ..evidence.board import NOT_IN_TABLE, Board
from ..evidence.verdicts import VERDICT_RULE
from ..text import JOIN, dataset_words, number, seed_words, signed

LEFT = 'style="text-align: left"'  # JupyterLab sets every cell of a table flush right


# ---- for readers ---------------------------------------------------------------------------------


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Lines of `rows` as text for a notebook: the paper's figures, ours with interval, strict, seeds."""
    return pd.DataFrame(
        {
            "experiment": frame["label"],
            "paper train": [number(x) for x in frame["paper_train"]],
            "paper val": [number(x) for x in frame["paper_val"]],
            "train here": [number(x) for x in frame["ours_train"]],
            "val here": [ours_words(line) for _, line in frame.iterrows()],
            "strict val here": [number(x) for x in frame["strict_val"]],
            "to the baseline here": [difference_words(line) for _, line in frame.iterrows()],
            "seeds": frame["seeds"],
        }
    )


def ours_words(line: pd.Series) -> str:
    """ "73.1 (71.1–75.0)", and with several seeds the lowest and highest of them; of a row under way, how far it is."""
    if not line["seeds"]:
        return line["so_far_val"] or line["so_far"] or "not run"
    words = f"{line['ours_val']:.1f} ({line['low']:.1f}–{line['high']:.1f})"
    return words if line["seeds"] == 1 else f"{words}, seeds {line['seed_low']:.1f}–{line['seed_high']:.1f}"


def difference_words(line: pd.Series) -> str:
    """ "−5.1 (−6.9 to −3.3)"; without an interval where a single seed has none."""
    if np.isnan(line["difference"]):
        return "–"
    if np.isnan(line["difference_low"]):
        return signed(line["difference"])
    return f"{signed(line['difference'])} ({signed(line['difference_low'])} to {signed(line['difference_high'])})"


def table1_html(board: Board) -> str:
    """Table 1 as HTML, the paper beside ours, grouped as there, with the verdicts' rule and the runs' ids.

    A verdict links to the notebook that shows its row.
    """
    profile, frame = board.profile, board.rows
    body = []
    for group, lines in frame.groupby("group", sort=False):
        heading = f'<tr class="group"><th scope="rowgroup" colspan="10" {LEFT}>{escape(str(group))}</th></tr>'
        body.append(f"<tbody>{heading}{''.join(_html_line(profile, line) for _, line in lines.iterrows())}</tbody>")
    machines = " and ".join(dict.fromkeys(words for words in frame["trained_on"] if words))
    return (
        '<table class="table1"><caption>Table 1, paper and reproduction: accuracy in %, 1-shot 20-way. '
        f"Profile {escape(profile.name)}, {dataset_words(profile)}, "
        f"{seed_words(profile.seeds)}, {profile.episodes:,} episodes each"
        f"{', trained with ' + escape(machines) if machines else ''}.</caption>"
        '<thead><tr><td></td><th scope="colgroup" colspan="2">Paper</th>'
        '<th scope="colgroup" colspan="2">Author’s log</th><th scope="colgroup" colspan="4">Here</th>'
        '<th scope="col" rowspan="2">Verdict</th></tr>'
        '<tr><th scope="col">Row</th>'
        + "".join(
            f'<th scope="col">{words}</th>'
            for words in ("train", "val", "train", "val", "train", "val (95 %)", "strict val", "seeds")
        )
        + f"</tr></thead>{''.join(body)}</table>{notes(profile)}{_note_on_the_way(frame)}{_run_ids(frame)}"
    )


def _html_line(profile: Profile, line: pd.Series) -> str:
    name = escape(line["row"])
    if line["variant"] != "same" and not np.isnan(line["paper_val"]):
        name += f' <span class="variant">({line["variant"]})</span>'
    figures = [line[c] for c in ("paper_train", "paper_val", "author_train", "author_val")]
    labels = ("paper, train", "paper, val", "author’s log, train", "author’s log, val")
    cells = [
        f'<td class="{kind}" data-label="{label}">{number(figure)}</td>'
        for kind, label, figure in zip(("paper", "paper", "log", "log"), labels, figures, strict=True)
    ]
    if line["so_far"]:
        val = line["so_far_val"].partition(" at ")[0].replace("–", f"{JOIN}–{JOIN}") or "–"
        words = f"{verdict_html('under way')}: {escape(line['so_far'])}"
        here = {"here, train": "–", "here, val (95 %)": val, "here, strict val": "–", "seeds": "0"}
        cells += [f'<td class="ours" data-label="{label}">{figure}</td>' for label, figure in here.items()]
        return f'<tr><th scope="row" {LEFT}>{name}</th>{"".join(cells)}<td class="verdict" {LEFT}>{words}</td></tr>'
    if not line["seeds"]:
        cells.append('<td colspan="5">not run</td>')
        return f'<tr class="not-run"><th scope="row" {LEFT}>{name}</th>{"".join(cells)}</tr>'
    words = verdict_html(line["verdict"], f"{line['notebook']}.ipynb")
    if not np.isnan(line["difference"]):
        words += f' <span class="difference">({signed(line["difference"])} points'
        words += (
            ")</span>"
            if np.isnan(line["paper_difference"])
            else f"; paper {signed(line['paper_difference'])}{'' if line['apart'] else ', within its noise'})</span>"
        )
    if line["degenerate"]:
        words += ' <span class="difference">did not train: all similarities tie</span>'
    seeds = f"{line['seeds']} of {len(profile.seeds)}" if line["seeds"] < len(profile.seeds) else line["seeds"]
    val = ours_words(line).replace(", ", "<br>").replace("–", f"{JOIN}–{JOIN}")
    cells += [
        f'<td class="ours" data-label="here, train">{number(line["ours_train"])}</td>',
        f'<td class="ours" data-label="here, val (95 %)">{val}</td>',
        f'<td class="ours" data-label="here, strict val">{number(line["strict_val"])}</td>',
        f'<td class="ours" data-label="seeds">{seeds}</td>',
        f'<td class="verdict" {LEFT}>{words}</td>',
    ]
    return f'<tr><th scope="row" {LEFT}>{name}</th>{"".join(cells)}</tr>'


def verdict_html(verdict: str, href: str = "") -> str:
    """A verdict as HTML: a word with a sign before it that needs no colour, linked where there is a target."""
    words = f'<span class="verdict-word {verdict.replace(" ", "-")}">{escape(verdict)}</span>'
    return f'<a href="{escape(href)}">{words}</a>' if href else words


def notes(profile: Profile) -> str:
    """The verdicts' rule, and how far the profile is from the paper's protocol, as HTML."""
    said = [VERDICT_RULE]
    if profile.dataset == "synthetic":
        said.append("Made from built-in drawn characters, which say nothing about the paper: no verdict is given.")
    elif not profile.is_paper_protocol:
        said.append(
            f"Not the paper’s protocol ({', '.join(profile.departures)}): the verdicts say what holds at this "
            "scale. Read differences between rows, not the accuracies."
        )
    return "".join(f'<p class="caption">{escape(note)}</p>' for note in said)


def _note_on_the_way(frame: pd.DataFrame) -> str:
    """What stands in a row under way, where there are any."""
    if not any(frame["so_far"]):
        return ""
    return (
        '<p class="caption">Rows under way: val accuracy in %, the mean of the last five checks, with '
        "its 95 % interval, beside the same checks of the author’s log. Their curves lie over the author’s in "
        '<a href="11_audit.ipynb#4.-Our-curves-over-the-author\'s-logs">the audit</a>.</p>'
    )


def _run_ids(frame: pd.DataFrame) -> str:
    items = [
        f"<li>{escape(line['label'])}: "
        + (", ".join(f"<code>{escape(i)}</code>" for i in line["run_ids"]) or escape(line["so_far_origin"]))
        + "</li>"
        for _, line in frame.iterrows()
        if line["run_ids"] or line["so_far_origin"]
    ]
    if not items:
        return ""
    heading = "<summary>The runs behind each row</summary>"
    return f'<details class="run-ids">{heading}<ul>{"".join(items)}</ul></details>'


def verdict_counts_html(board: Board) -> str:
    """How many rows of Table 1 got which verdict, each variant counted by itself, as HTML."""
    frame = board.rows
    frame = frame[(frame["group"] != NOT_IN_TABLE) & (frame["verdict"] != "reference")]
    items = [
        f"<li><strong>{escape(str(words))}</strong>: {len(lines)} ({escape(', '.join(lines['label']))})</li>"
        for words, lines in frame.groupby("verdict", sort=True)
    ]
    return f'<ul class="verdicts">{"".join(items)}</ul>'
