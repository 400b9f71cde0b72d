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

UNCLEAR = (
    6.0  # points: two accuracies over 250 episodes that are closer may be the same (AUDIT: ±5.4 at 75 %)
)
LEFT = 'style="text-align: left"'  # JupyterLab sets every cell of a table flush right
JOIN = "\u2060"  # an interval is not broken over two lines
NOT_IN_TABLE = "Not in Table 1"
VERDICT_RULE = (
    "A verdict compares a row's difference to the baseline (val, 1-shot 20-way, author's protocol) in the "
    f"paper with ours. The paper's difference counts as unclear when it is under {UNCLEAR:g} points, about "
    "the 95 % interval of its 250 episodes. Ours is clear when the 95 % interval of the paired difference, "
    "over the same episodes for both networks, leaves out zero and, with several seeds, every seed's "
    "difference has the same sign. Nothing is said about the accuracies themselves."
)


# ---- the network, from the recipe ----------------------------------------------------------------


def architecture(experiment: Experiment, profile: Profile) -> pd.DataFrame:
    """The layers of an experiment's network at a profile's image size, computed from the recipe alone.

    Columns: layer, output (shape without the batch), parameters (moving averages included, as Keras counts),
    and squares: the expected sum of squared kernel weights under Glorot uniform, 2n / (fan_in + fan_out) for
    n weights (X. Glorot and Y. Bengio, AISTATS 2010), 0 where the kernels start at zero.
    """
    recipe, side, channels = experiment.recipe, profile.image_size, 1
    rows: list[tuple[str, str, int, float]] = [("image", f"{side}×{side}×1", 0, 0.0)]

    def kernel(words: str, shape: str, fan_in: int, fan_out: int, weights: int, biases: int) -> None:
        squares = 0.0 if recipe.initializer == "zeros" else 2 * weights / (fan_in + fan_out)
        rows.append((words, shape, weights + biases, squares))

    def block_end(shape: str, units: int) -> None:
        if recipe.batch_norm:
            rows.append(("BatchNorm", shape, 4 * units, 0.0))
        rows.append(("ReLU", shape, 0, 0.0))

    if recipe.backbone == "conv":
        area = recipe.kernel_size**2
        for number, filters in enumerate(recipe.filters):
            side = side if profile.padding == "same" else side - recipe.kernel_size + 1
            words = f"Conv {recipe.kernel_size}×{recipe.kernel_size}, {filters}"
            words += ", ReLU" if number == 0 and recipe.relu_before_norm else ""
            shape = f"{side}×{side}×{filters}"
            kernel(words, shape, area * channels, area * filters, area * channels * filters, filters)
            block_end(shape, filters)
            side, channels = side // 2, filters
            rows.append(("MaxPool 2×2", f"{side}×{side}×{channels}", 0, 0.0))
            if recipe.dropout:
                rows.append((f"Dropout {recipe.dropout:g}", f"{side}×{side}×{channels}", 0, 0.0))
    features = side * side * channels
    rows.append(("Flatten", f"{features:,}", 0, 0.0))
    for units in recipe.hidden if recipe.backbone == "mlp" else ():
        kernel(f"Dense {units}", f"{units:,}", features, units, features * units, units)
        block_end(f"{units:,}", units)
        if recipe.dropout:
            rows.append((f"Dropout {recipe.dropout:g}", f"{units:,}", 0, 0.0))
        features = units
    size = recipe.embedding
    kernel(f"Dense {size}, sigmoid", f"{size:,}", features, size, features * size, size)
    rows.append(("l1 distance", f"{size:,}", 0, 0.0))
    kernel("Dense 1, sigmoid", "1", size, 1, size, 1)
    rows[-1] = ("similarity", *rows[-1][1:])
    return pd.DataFrame(rows, columns=["layer", "output", "parameters", "squares"])


def layers_table(experiment: Experiment, profile: Profile) -> pd.DataFrame:
    """`architecture` for readers: layer, output shape, parameters, with the sum in the last line."""
    layers = architecture(experiment, profile)
    shown = pd.DataFrame(
        {
            "layer": layers["layer"],
            "output shape": layers["output"],
            "parameters": [f"{n:,}" if n else "" for n in layers["parameters"]],
        }
    )
    shown.loc[len(shown)] = ["all layers", "", f"{layers['parameters'].sum():,}"]
    return shown


def penalty(experiment: Experiment, profile: Profile) -> float:
    """The expected L2 penalty before the first update: l2 · expected sum of squared kernel weights."""
    return experiment.recipe.l2 * float(architecture(experiment, profile)["squares"].sum())


def first_loss(profile: Profile, experiments: Iterable[Experiment]) -> pd.DataFrame:
    """What the first loss should be, at the paper's size and at this profile's, beside what was logged.

    The first loss is the penalty and a cross-entropy of about 0.7: log 2 = 0.693 is that of a network which
    answers 0.5 to every pair.
    """
    paper, size = load_profile("paper"), profile.image_size
    lines = []
    for experiment in experiments:
        runs = [run for seed in profile.seeds if (run := find_run(experiment, profile, seed))]
        logged = experiment.author.first_loss if experiment.author else None
        lines.append(
            {
                "experiment": experiment.label,
                "penalty at 105×105": f"{penalty(experiment, paper):.3f}",
                "author's first loss": _number(logged, 3),
                f"penalty at {size}×{size}": f"{penalty(experiment, profile):.3f}",
                "first loss here": _number(_mean(run.metrics["first_batch_loss"] for run in runs), 3),
            }
        )
    return pd.DataFrame(lines)


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


def difference(runs: Sequence[Run], baselines: Sequence[Run]) -> tuple[float, float, float, bool]:
    """Accuracy of some runs minus the baseline's, paired by seed and episode: points, low, high, clear?

    An episode's difference is 1, 0 or −1, or its mean over several seeds; the interval is the mean's
    normal 95 % interval over the episodes, McNemar's comparison in another form. It is clear when the
    interval leaves out 0 and every seed's difference has the same sign.
    """
    by_seed = np.stack(
        [
            run.answers()["author/val"].astype(float) - baseline.answers()["author/val"]
            for run, baseline in zip(runs, baselines, strict=True)
        ]
    )  # (seeds, episodes)
    by_episode = by_seed.mean(axis=0)
    mean = float(by_episode.mean())
    half = 1.96 * float(by_episode.std(ddof=1)) / np.sqrt(len(by_episode))
    one_sign = len(set(np.sign(by_seed.mean(axis=1)))) == 1
    return 100 * mean, 100 * (mean - half), 100 * (mean + half), bool(abs(mean) > half and one_sign)


def verdict(experiment: Experiment, profile: Profile) -> dict[str, object]:
    """How a row's difference to the baseline compares with the paper's: difference, its interval, and words.

    "reference"                     the baseline itself
    "not run"                       the row, or the baseline under the same seeds, has no run
    "not in Table 1"                the paper has no figure for it
    "same direction"                the difference is clear in both, with the same sign
    "opposite direction"            clear in both, with opposite signs
    "no clear difference here"      clear in the paper only
    "no clear difference in the paper", "no clear difference in either"     likewise

    What "clear" means is said in VERDICT_RULE, which stands under every table of verdicts.
    """
    nothing = {name: np.nan for name in ("difference", "difference_low", "difference_high")} | {
        "paired_seeds": 0
    }
    baseline = load_experiment("baseline")
    pairs = [(find_run(experiment, profile, s), find_run(baseline, profile, s)) for s in profile.seeds]
    both = [(run, reference) for run, reference in pairs if run and reference]
    if not any(run for run, _ in pairs):
        return {**nothing, "verdict": "not run"}
    if experiment.name == "baseline":
        return {**nothing, "verdict": "reference"}
    if not both:
        return {**nothing, "verdict": "baseline not run"}
    points, low, high, clear = difference([run for run, _ in both], [reference for _, reference in both])
    found = {"difference": points, "difference_low": low, "difference_high": high, "paired_seeds": len(both)}
    if experiment.paper is None or baseline.paper is None:
        return {**found, "verdict": "not in Table 1"}
    return {**found, "verdict": _in_words(experiment.paper.val - baseline.paper.val, points, clear)}


def _in_words(paper: float, ours: float, ours_clear: bool) -> str:
    paper_clear = abs(paper) >= UNCLEAR
    if paper_clear and ours_clear:
        return "same direction" if paper * ours > 0 else "opposite direction"
    where = {(True, False): "here", (False, True): "in the paper", (False, False): "in either"}
    return f"no clear difference {where[paper_clear, ours_clear]}"


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
                "val, last check": _number(val.iloc[-1]),
                "val, best check": _number(val.max()),
                f"val, last {len(end)} checks": f"{end.min():.1f} to {end.max():.1f}",
                "checks below the one before": f"{int((val.diff() < 0).sum())} of {len(val) - 1}",
                f"gap, last {len(end)} checks": _signed(train.tail(last).mean() - end.mean()),
            }
        )
    return pd.DataFrame(lines)


# ---- for readers ---------------------------------------------------------------------------------


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Lines of `rows` as text for a notebook: the paper's figures, ours with interval, strict, seeds."""
    return pd.DataFrame(
        {
            "experiment": frame["label"],
            "paper train": [_number(x) for x in frame["paper_train"]],
            "paper val": [_number(x) for x in frame["paper_val"]],
            "train here": [_number(x) for x in frame["ours_train"]],
            "val here": [_ours(line) for _, line in frame.iterrows()],
            "strict val here": [_number(x) for x in frame["strict_val"]],
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
            words += f" In the paper {_signed(line['paper_difference'])} points against the baseline"
            words += "." if np.isnan(line["difference"]) else "; here "
        else:
            words += "" if np.isnan(line["difference"]) else " Against the baseline here "
        if not np.isnan(line["difference"]):
            seeds = "1 seed" if line["paired_seeds"] == 1 else f"{line['paired_seeds']} seeds"
            words += f"{_signed(line['difference'])} "
            words += f"({_signed(line['difference_low'])} to {_signed(line['difference_high'])}), "
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
        f'<td class="{kind}">{_number(figure)}</td>'
        for kind, figure in zip(("paper", "paper", "log", "log"), figures, strict=True)
    ]
    if not line["seeds"]:
        cells.append('<td colspan="5">not run</td>')
        return f'<tr class="not-run"><th scope="row" {LEFT}>{name}</th>{"".join(cells)}</tr>'
    words = escape(line["verdict"])
    if not np.isnan(line["difference"]):
        words += f' <span class="difference">({_signed(line["difference"])} points'
        words += (
            ")</span>"
            if np.isnan(line["paper_difference"])
            else f"; paper {_signed(line['paper_difference'])})</span>"
        )
    seeds = (
        f"{line['seeds']} of {len(profile.seeds)}" if line["seeds"] < len(profile.seeds) else line["seeds"]
    )
    cells += [
        f'<td class="ours">{_number(line["ours_train"])}</td>',
        f'<td class="ours">{_ours(line).replace(", ", "<br>").replace("–", f"{JOIN}–{JOIN}")}</td>',
        f'<td class="ours">{_number(line["strict_val"])}</td>',
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


def dataset_words(profile: Profile) -> str:
    """ "Omniglot, 105×105 pixels"."""
    size = f"{profile.image_size}×{profile.image_size} pixels"
    name = "Omniglot" if profile.dataset == "omniglot" else "built-in drawn characters (not Omniglot)"
    return f"{name}, {size}"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.{digits}f}"


def _signed(value: float) -> str:
    """ "+1.2" or "−3.4", with a real minus sign."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.mean(found)) if found else None


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
