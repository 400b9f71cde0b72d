"""Table 1: the paper's figures, the author's log and our runs side by side, each row with its verdict.

Accuracies are in %, 1-shot 20-way, under the author's protocol unless a column says "strict". A row's verdict is on
what the table says about it: how it stands to the baseline, and its figure (`claims.row_claim`, `verdicts.is_correct`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Experiment, Profile, load_matrix, load_profile
from ..errors import ParamsError
from ..evaluation.accuracy import wilson
from ..evidence.claims import load_claims, row_claims
from ..evidence.estimates import Evidence, Term
from ..evidence.fidelity import origin_of, under_way
from ..evidence.verdicts import VERDICT_RULE, Judgement, judge
from ..text import JOIN, dataset_words, device_words, number, seed_words, signed
from ..training.runs import Run, find_run, find_so_far, tidy

LEFT = 'style="text-align: left"'  # JupyterLab sets every cell of a table flush right
NOT_IN_TABLE = "Not in Table 1"
SO_FAR = ("so_far", "so_far_val", "so_far_origin")


def with_seeds(profile: str | Path | Profile, seeds: Sequence[int] | None) -> Profile:
    """The profile with these seeds instead of its own; none leave its own. ParamsError for others."""
    profile = load_profile(profile)
    if not seeds:
        return profile
    if isinstance(seeds, str) or any(not isinstance(s, int) or isinstance(s, bool) or s < 0 for s in seeds):
        raise ParamsError(f"seeds must be a list of whole numbers from 0 on, not {seeds!r}.")
    return profile.model_copy(update={"seeds": tuple(dict.fromkeys(seeds))})


def table1(profile: str | Path | Profile, seeds: Sequence[int] | None = None) -> pd.DataFrame:
    """Every row of the paper's Table 1 in its order, then the runs it leaves out; columns as in `rows`."""
    experiments = sorted(load_matrix().experiments, key=lambda e: e.paper is None)  # stable
    return rows(with_seeds(profile, seeds), experiments)


def rows(profile: Profile, experiments: Iterable[Experiment]) -> pd.DataFrame:
    """One line an experiment: what the paper says, what the author logged, what came out here; in %.

    experiment, label, group, row, variant
    paper_train, paper_val, author_train, author_val   NaN where there is none
    ours_train, ours_val, strict_val                   means over the seeds; NaN where there is no run
    low, high                                          Wilson 95 % interval of ours_val: the episodes' part
    seed_low, seed_high                                lowest and highest seed of ours_val
    seeds, run_ids                                     how many seeds have run, and the runs' ids
    paper_difference                                   to the baseline, val, in points
    difference, difference_low, difference_high        ours, and its 95 % interval; see `evidence`
    verdict, why                                       see `verdicts`; "under way" for a row without a finished run
    so_far, so_far_val, so_far_origin                  how far such a row has come, with which accuracy, trained where
    apart                                              whether the paper's figure can be told from its baseline's
    silent                                             whether it did not train at all: every similarity ties
    """
    evidence = Evidence.on_disk(profile)
    judged = judge_rows(evidence)
    return pd.DataFrame([_line(evidence, experiment, judged.get(experiment.name)) for experiment in experiments])


def judge_rows(evidence: Evidence) -> dict[str, Judgement]:
    """The verdict on every row of Table 1, by the experiment's name; corrected along with the ledger's claims."""
    claims = row_claims()
    verdicts = judge(list(claims.values()), evidence, variants=False, along_with=load_claims())
    return dict(zip(claims, verdicts, strict=True))


def _line(evidence: Evidence, experiment: Experiment, judged: Judgement | None) -> dict[str, object]:
    runs = [run for seed in evidence.profile.seeds if (run := find_run(experiment, evidence.profile, seed))]
    scores = tidy(runs)
    scores = scores[scores["ways"] == 20]

    def ours(protocol: str, split: str) -> pd.DataFrame:
        return scores[(scores["protocol"] == protocol) & (scores["split"] == split)]

    val = ours("author", "val")
    interval = wilson(round(val["correct"].mean()), int(val["episodes"].iloc[0])) if len(val) else None
    paper, author = experiment.paper, experiment.author
    baseline = load_matrix().experiments[0]
    gap = None
    if experiment.name != baseline.name:
        gap = evidence.estimate((Term(1, experiment.name), Term(-1, baseline.name)))
    so_far = None if runs else _farthest(evidence.profile, experiment)
    said = (
        ("under way" if so_far else "not run")
        if not runs
        else NOT_IN_TABLE.lower()
        if judged is None
        else judged.verdict
    )
    if experiment.name == baseline.name and said == "not testable":
        said = "reference"
    return {
        "experiment": experiment.name,
        "label": experiment.label,
        "group": experiment.group if paper else NOT_IN_TABLE,
        "row": experiment.row or experiment.group,
        "variant": experiment.variant,
        "notebook": load_matrix().sections[experiment.section].notebook,
        "paper_train": paper.train if paper else np.nan,
        "paper_val": paper.val if paper else np.nan,
        "author_train": author.train if author and author.train is not None else np.nan,
        "author_val": author.val if author and author.val is not None else np.nan,
        "ours_train": 100 * ours("author", "train")["accuracy"].mean(),
        "ours_val": 100 * val["accuracy"].mean(),
        "low": 100 * interval.low if interval else np.nan,
        "high": 100 * interval.high if interval else np.nan,
        "seed_low": 100 * val["accuracy"].min(),
        "seed_high": 100 * val["accuracy"].max(),
        "strict_val": 100 * ours("strict", "val")["accuracy"].mean(),
        "seeds": len(runs),
        "run_ids": tuple(run.run_id for run in runs),
        "trained_on": trained_on(runs),
        "paper_difference": round(paper.val - baseline.paper.val, 1) if paper and baseline.paper else np.nan,
        "difference": gap.value if gap else np.nan,
        "difference_low": gap.low if gap else np.nan,
        "difference_high": gap.high if gap else np.nan,
        "verdict": said,
        "apart": judged is not None and judged.claim.check.kind != "similar",
        "silent": evidence.is_silent(experiment.name),
        "why": f"{judged.words} {judged.needs}".strip() if judged else "",
        **(_so_far(so_far, evidence.profile) if so_far else dict.fromkeys(SO_FAR, "")),
    }


def _farthest(profile: Profile, experiment: Experiment) -> Run | None:
    """Of the runs under way of an experiment, the one that has come farthest."""
    found = [run for seed in profile.seeds if (run := find_so_far(experiment, profile, seed))]
    return max(found, key=lambda run: run.metrics["iterations"], default=None)


def _so_far(run: Run, profile: Profile) -> dict[str, str]:
    """How far a run under way has come, and how its last checks stand to the author's at the same iterations."""
    end = profile.scaled(run.experiment.recipe.iterations)
    iteration = f"iteration {run.metrics['iterations']:,}"
    found = {"so_far": f"{iteration} of {end:,}", "so_far_val": "", "so_far_origin": _so_far_origin(run)}
    stands = under_way(run.experiment, run.seed) if profile.is_paper_protocol else None
    if stands is None or not stands.checks:
        return found
    found["so_far_val"] = f"{stands.ours:.1f} ({stands.ours_low:.1f}–{stands.ours_high:.1f}) at {iteration}"
    log = "" if np.isnan(stands.author) else f" the author’s log there {stands.author:.1f},"
    return {**found, "so_far": f"{found['so_far']};{log} {stands.words}"}


def _so_far_origin(run: Run) -> str:
    """A run under way by its id, with where its checks were made: device, precision of the convolutions, commit."""
    origin = origin_of(run.history)
    return f"{run.run_id}, {origin.device}, convolutions in {origin.convolutions}, commit {origin.commit}"


def trained_on(runs: Iterable[Run]) -> str:
    """What the runs were trained on, in words: "TensorFlow on a CPU"; nothing for no runs."""
    words = (
        device_words(origin)
        for run in runs
        for origin in run.metrics.get("origins") or [run.metrics.get("provenance", {})]
    )
    return " and ".join(dict.fromkeys(words))


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


def table1_html(profile: str | Path | Profile, seeds: Sequence[int] | None = None) -> str:
    """Table 1 as HTML, the paper beside ours, grouped as there, with the verdicts' rule and the runs' ids.

    A verdict links to the notebook that shows its row.
    """
    profile = with_seeds(profile, seeds)
    frame = table1(profile)
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
    if line["silent"]:
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


def verdict_counts_html(profile: Profile) -> str:
    """How many rows of Table 1 got which verdict, each variant counted by itself, as HTML."""
    frame = table1(profile)
    frame = frame[(frame["group"] != NOT_IN_TABLE) & (frame["verdict"] != "reference")]
    items = [
        f"<li><strong>{escape(str(words))}</strong>: {len(lines)} ({escape(', '.join(lines['label']))})</li>"
        for words, lines in frame.groupby("verdict", sort=True)
    ]
    return f'<ul class="verdicts">{"".join(items)}</ul>'
