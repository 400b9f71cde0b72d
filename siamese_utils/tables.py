"""Tables: a network's layers, the first loss they explain, Table 1 beside the paper's, and first verdicts.

Accuracies in these tables are in %, 1-shot 20-way, under the author's protocol unless a column says "strict".
Verdicts are computed from the runs on disk, never typed; nothing here trains anything or imports Keras.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from .data import Dataset, Split
from .episodes import Protocol, draw_episodes
from .errors import ParamsError
from .evaluation import wilson
from .params import Experiment, Profile, load_experiment, load_matrix, load_profile
from .results import Run, find_run, tidy
from .verdicts import VERDICT_RULE, verdict
from .words import dataset_words, number, signed

LEFT = 'style="text-align: left"'  # JupyterLab sets every cell of a table flush right
JOIN = "\u2060"  # an interval is not broken over two lines
NOT_IN_TABLE = "Not in Table 1"


# ---- the network, from the recipe ----------------------------------------------------------------


# ---- accuracies beside the paper's ---------------------------------------------------------------


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
    low, high                                          Wilson 95 % interval of ours_val, all episodes pooled
    seed_low, seed_high                                lowest and highest seed of ours_val
    seeds, run_ids                                     how many seeds have run, and the runs' ids
    paper_difference                                   to the baseline, val, in points
    difference, difference_low, difference_high        ours, and its 95 % interval; see `difference`
    paired_seeds                                       how many seeds have run for both
    verdict                                            see `verdict`
    """
    return pd.DataFrame([_line(profile, experiment) for experiment in experiments])


def _line(profile: Profile, experiment: Experiment) -> dict[str, object]:
    runs = [run for seed in profile.seeds if (run := find_run(experiment, profile, seed))]
    scores = tidy(runs)
    scores = scores[scores["ways"] == 20]

    def ours(protocol: str, split: str) -> pd.DataFrame:
        return scores[(scores["protocol"] == protocol) & (scores["split"] == split)]

    val = ours("author", "val")
    interval = wilson(int(val["correct"].sum()), int(val["episodes"].sum())) if len(val) else None
    paper, author = experiment.paper, experiment.author
    baseline = load_experiment("baseline")
    in_paper = paper.val - baseline.paper.val if paper and baseline.paper else None
    return {
        "experiment": experiment.name,
        "label": experiment.label,
        "group": experiment.group if paper else NOT_IN_TABLE,
        "row": experiment.row or experiment.group,
        "variant": experiment.variant,
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
        "paper_difference": np.nan if in_paper is None else round(in_paper, 1),
        **verdict(experiment, profile),
    }


# ---- data and training ---------------------------------------------------------------------------


def dataset_counts(dataset: Dataset) -> pd.DataFrame:
    """How many alphabets, characters, drawers and images each split has, and the paper's counts (Section 1.1)."""
    paper = {"train": (30, 964, 19_280), "val": (20, 659, 13_180)}
    lines = []
    for name, (alphabets, characters, images) in paper.items():
        split = dataset.split(name)
        lines.append(
            {
                "split": name,
                "alphabets": len(set(split.alphabets)),
                "characters": split.classes,
                "drawers": split.drawers,
                "images": f"{split.classes * split.drawers:,}",
                "paper: alphabets": alphabets,
                "paper: characters": characters,
                "paper: images": f"{images:,}",
            }
        )
    return pd.DataFrame(lines)


def protocols(split: Split, ways: int = 20, episodes: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """How the two protocols' episodes differ, counted over freshly drawn ones; shares in %."""
    lines = []
    names: tuple[Protocol, ...] = ("author", "strict")
    for protocol in names:
        drawn = draw_episodes(
            protocol, classes=split.classes, drawers=split.drawers, ways=ways, episodes=episodes, seed=seed
        )
        row = np.arange(episodes)
        target = drawn.support[row, drawn.target, 0]
        same_class = (drawn.support[:, :, 0, 0] == drawn.query[:, None, 0]).sum(axis=1)
        lines.append(
            {
                "protocol": protocol,
                "the query is its own support": f"{100 * (target == drawn.query).all(axis=1).mean():.1f} %",
                "same drawer, query and answer": f"{100 * (target[:, 1] == drawn.query[:, 1]).mean():.1f} %",
                "the query's class stands there twice": f"{100 * (same_class > 1).mean():.1f} %",
                "a tie for the largest similarity": "the first wins" if protocol == "author" else "wrong",
            }
        )
    return pd.DataFrame(lines)


def checks(runs: Iterable[Run], last: int = 10) -> pd.DataFrame:
    """How steady the training was: accuracies in % at the checks, a line a run.

    The gap is train minus val, both as means over the last checks.
    """
    lines = []
    for run in runs:
        val, train = (100 * run.history[f"{split}_accuracy"] for split in ("val", "train"))
        end = val.tail(last)
        lines.append(
            {
                "experiment": run.experiment.label,
                "seed": run.seed,
                "val, last check": number(val.iloc[-1]),
                "val, best check": number(val.max()),
                f"val, last {len(end)} checks": f"{end.min():.1f} to {end.max():.1f}",
                "checks below the one before": f"{int((val.diff() < 0).sum())} of {len(val) - 1}",
                f"gap, last {len(end)} checks": signed(train.tail(last).mean() - end.mean()),
            }
        )
    return pd.DataFrame(lines)


# ---- for readers ---------------------------------------------------------------------------------


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Lines of `rows` as text for a notebook: the paper's figures, ours with interval, strict, seeds."""
    return pd.DataFrame(
        {
            "experiment": frame["label"],
            "paper train": [number(x) for x in frame["paper_train"]],
            "paper val": [number(x) for x in frame["paper_val"]],
            "train here": [number(x) for x in frame["ours_train"]],
            "val here": [_ours(line) for _, line in frame.iterrows()],
            "strict val here": [number(x) for x in frame["strict_val"]],
            "seeds": frame["seeds"],
        }
    )


def verdicts_html(profile: Profile, experiments: Iterable[Experiment]) -> str:
    """The verdict on each experiment in a sentence, as an HTML list, with the rule underneath."""
    items = []
    for _, line in rows(profile, experiments).iterrows():
        if line["verdict"] == "reference":
            continue
        words = f"<strong>{escape(line['label'])}: {line['verdict']}.</strong>"
        if not np.isnan(line["paper_difference"]):
            words += f" In the paper {signed(line['paper_difference'])} points against the baseline"
            words += "." if np.isnan(line["difference"]) else "; here "
        else:
            words += "" if np.isnan(line["difference"]) else " Against the baseline here "
        if not np.isnan(line["difference"]):
            seeds = "1 seed" if line["paired_seeds"] == 1 else f"{line['paired_seeds']} seeds"
            words += f"{signed(line['difference'])} "
            words += f"({signed(line['difference_low'])} to {signed(line['difference_high'])}), "
            words += f"{profile.episodes:,} shared episodes, {seeds}."
        items.append(f"<li>{words}</li>")
    if not items:
        return "<p>Only the baseline is here: there is nothing to compare it with.</p>"
    return f'<ul class="verdicts">{"".join(items)}</ul>{_notes(profile)}'


def table1_html(profile: str | Path | Profile, seeds: Sequence[int] | None = None) -> str:
    """Table 1 as HTML, the paper beside ours, grouped as there, with the verdicts' rule and the runs' ids."""
    profile = with_seeds(profile, seeds)
    frame = table1(profile)
    body = []
    for group, lines in frame.groupby("group", sort=False):
        heading = f'<tr class="group"><th scope="rowgroup" colspan="10" {LEFT}>{escape(str(group))}</th></tr>'
        body.append(
            f"<tbody>{heading}{''.join(_html_line(profile, line) for _, line in lines.iterrows())}</tbody>"
        )
    seeds_words = f"{'seed' if len(profile.seeds) == 1 else 'seeds'} {', '.join(map(str, profile.seeds))}"
    return (
        '<table class="table1"><caption>Table 1, paper and reproduction: accuracy in %, 1-shot 20-way. '
        f"Profile {escape(profile.name)}, {dataset_words(profile)}, "
        f"{seeds_words}, {profile.episodes:,} episodes each.</caption>"
        '<thead><tr><td></td><th scope="colgroup" colspan="2">Paper</th>'
        '<th scope="colgroup" colspan="2">Author’s log</th><th scope="colgroup" colspan="4">Here</th>'
        '<th scope="col" rowspan="2">Verdict on the difference</th></tr>'
        '<tr><th scope="col">Row</th>'
        + "".join(
            f'<th scope="col">{words}</th>'
            for words in ("train", "val", "train", "val", "train", "val (95 %)", "strict val", "seeds")
        )
        + f"</tr></thead>{''.join(body)}</table>{_notes(profile)}{_run_ids(frame)}"
    )


def _html_line(profile: Profile, line: pd.Series) -> str:
    name = escape(line["row"])
    if line["variant"] != "same" and not np.isnan(line["paper_val"]):
        name += f' <span class="variant">({line["variant"]})</span>'
    figures = [line[c] for c in ("paper_train", "paper_val", "author_train", "author_val")]
    cells = [
        f'<td class="{kind}">{number(figure)}</td>'
        for kind, figure in zip(("paper", "paper", "log", "log"), figures, strict=True)
    ]
    if not line["seeds"]:
        cells.append('<td colspan="5">not run</td>')
        return f'<tr class="not-run"><th scope="row" {LEFT}>{name}</th>{"".join(cells)}</tr>'
    words = escape(line["verdict"])
    if not np.isnan(line["difference"]):
        words += f' <span class="difference">({signed(line["difference"])} points'
        words += (
            ")</span>"
            if np.isnan(line["paper_difference"])
            else f"; paper {signed(line['paper_difference'])})</span>"
        )
    seeds = (
        f"{line['seeds']} of {len(profile.seeds)}" if line["seeds"] < len(profile.seeds) else line["seeds"]
    )
    cells += [
        f'<td class="ours">{number(line["ours_train"])}</td>',
        f'<td class="ours">{_ours(line).replace(", ", "<br>").replace("–", f"{JOIN}–{JOIN}")}</td>',
        f'<td class="ours">{number(line["strict_val"])}</td>',
        f'<td class="ours">{seeds}</td>',
        f'<td class="verdict" {LEFT}>{words}</td>',
    ]
    return f'<tr><th scope="row" {LEFT}>{name}</th>{"".join(cells)}</tr>'


def _notes(profile: Profile) -> str:
    notes = [VERDICT_RULE]
    if profile.dataset == "synthetic":
        notes.append("Made from built-in drawn characters: the verdicts show how it works, not what holds.")
    elif not profile.is_paper_protocol:
        notes.append("Not the paper’s protocol: read differences between rows, not the accuracies.")
    return "".join(f'<p class="caption">{escape(note)}</p>' for note in notes)


def _run_ids(frame: pd.DataFrame) -> str:
    items = [
        f"<li>{escape(line['label'])}: {', '.join(f'<code>{escape(i)}</code>' for i in line['run_ids'])}</li>"
        for _, line in frame.iterrows()
        if line["run_ids"]
    ]
    if not items:
        return ""
    heading = "<summary>The runs behind each row</summary>"
    return f'<details class="run-ids">{heading}<ul>{"".join(items)}</ul></details>'


def _ours(line: pd.Series) -> str:
    """ "73.1 (71.1–75.0)", and with several seeds the lowest and highest of them."""
    if not line["seeds"]:
        return "not run"
    words = f"{line['ours_val']:.1f} ({line['low']:.1f}–{line['high']:.1f})"
    return words if line["seeds"] == 1 else f"{words}, seeds {line['seed_low']:.1f}–{line['seed_high']:.1f}"


def pooled(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Scores of `results.tidy` pooled over seeds: `by`, accuracy, and Wilson 95 % interval (low, high)."""
    sums = scores.groupby(by, sort=False)[["correct", "episodes"]].sum().reset_index()
    found = [wilson(int(c), int(n)) for c, n in zip(sums["correct"], sums["episodes"], strict=True)]
    return sums.assign(
        accuracy=[s.accuracy for s in found], low=[s.low for s in found], high=[s.high for s in found]
    )


def k_way_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on val for every k, a column a protocol, with chance; from `results.tidy`, seeds pooled."""
    shown = pooled(scores[scores["split"] == "val"], ["protocol", "ways"]).sort_values("ways")
    lines = []
    for ways, part in shown.groupby("ways"):
        by_protocol = {line["protocol"]: line for _, line in part.iterrows()}
        lines.append(
            {
                "k": ways,
                **{
                    f"{protocol} protocol": f"{100 * line['accuracy']:.1f} "
                    f"({100 * line['low']:.1f}–{100 * line['high']:.1f})"
                    for protocol, line in sorted(by_protocol.items())
                },
                "chance": f"{100 / float(str(ways)):.1f}",
            }
        )
    return pd.DataFrame(lines)


def k_way_verdict(scores: pd.DataFrame) -> str:
    """Whether accuracy falls as k grows, for each protocol, as HTML; a rise counts if the intervals are apart."""
    shown = pooled(scores[scores["split"] == "val"], ["protocol", "ways"]).sort_values("ways")
    items = []
    for protocol, part in shown.groupby("protocol"):
        rises = int((part["low"].to_numpy()[1:] > part["high"].to_numpy()[:-1]).sum())
        first, last = part.iloc[0], part.iloc[-1]
        words = "falls with k" if not rises and last["high"] < first["low"] else "does not simply fall with k"
        items.append(
            f"<li><strong>{escape(str(protocol))} protocol: accuracy {words}</strong>, from "
            f"{100 * first['accuracy']:.1f} % at k = {first['ways']} to {100 * last['accuracy']:.1f} % at "
            f"k = {last['ways']} (chance {100 / last['ways']:.1f} %); "
            f"clear rises in {len(part) - 1} steps: {rises}.</li>"
        )
    return f'<ul class="verdicts">{"".join(items)}</ul>'


def verdict_counts_html(profile: Profile) -> str:
    """How many rows of Table 1 got which verdict, each variant counted by itself, as HTML."""
    frame = table1(profile)
    frame = frame[frame["group"] != NOT_IN_TABLE]
    items = [
        f"<li><strong>{escape(str(words))}</strong>: {len(lines)} ({escape(', '.join(lines['label']))})</li>"
        for words, lines in frame[frame["verdict"] != "reference"].groupby("verdict", sort=True)
    ]
    return f'<ul class="verdicts">{"".join(items)}</ul>{_notes(profile)}'
