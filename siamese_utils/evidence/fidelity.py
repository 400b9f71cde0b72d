"""Is this the author's training? Our runs at the full protocol beside the logs; see `likeness` for the statistic."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config import PAPER_ITERATIONS, Experiment, load_experiment, load_matrix, load_profile
from ..schema import name_list, seed_list
from ..text import JOIN, device_words, listed, seed_words, signed
from ..training.provenance import ORIGIN_COLUMNS
from ..training.runs import find_so_far
from . import likeness as statistic
from .author_logs import author_log, comparable_log, incomparable
from .likeness import MEASURES, LikenessVerdict, Replicates, differences, mean_difference
from .significance import Interval

# the profile whose seeds are compared where the full protocol has too few
SMALL = "laptop"
NOTHING = "Nothing has been run at the full protocol yet."


class Curves(NamedTuple):
    """A row at the full protocol: our seeds with their histories, the author’s log (no line: none to compare)."""

    label: str
    ours: list[tuple[int, pd.DataFrame]]
    log: pd.DataFrame


# ---- finding runs and logs -----------------------------------------------------------------------


def histories(
    experiments: str | Experiment | Iterable[str | Experiment] = (),
    seeds: int | Iterable[int] = (),
    profile: str = "paper",
) -> list[tuple[Experiment, int, pd.DataFrame]]:
    """Find the runs of a profile that have made a check: experiment, seed, history. None named: all of them."""
    chosen = load_profile(profile)
    named = name_list("experiments", experiments, Experiment)
    rows = [load_experiment(row) for row in named] or list(load_matrix().experiments)
    wanted = [(row, seed) for row in rows for seed in (seed_list(seeds) or chosen.seeds)]
    found = [(row, seed, find_so_far(row, chosen, seed)) for row, seed in wanted]
    return [(row, seed, run.history) for row, seed, run in found if run]


def curves(found: Iterable[tuple[Experiment, int, pd.DataFrame]]) -> list[Curves]:
    """Group the curves of `histories`, one element a row, with the author's where it can be compared."""
    rows: dict[str, Curves] = {}
    for experiment, seed, history in found:
        row = rows.setdefault(experiment.label, Curves(experiment.label, [], comparable_log(experiment)))
        row.ours.append((seed, history))
    return list(rows.values())


def known_replicates(experiment: Experiment) -> list[Replicates]:
    """Gather the author's two baselines, and the row's own runs at the full protocol where it has several seeds."""
    own = [history for _, _, history in histories([experiment])]
    return [_author_baselines(), Replicates.of(own)]


def _author_baselines() -> Replicates:
    runs = [e.author.run for e in map(load_experiment, ("baseline", "baseline-10k")) if e.author]
    return Replicates.of([author_log(run) for run in runs])


def seeds_apart() -> pd.DataFrame:
    """Say how far runs of one recipe come apart: the author's baselines, and our seeds of each row; small runs beside.

    val, × noise   the root mean square difference of means over ten checks, in standard deviations of the noise of
                   their episodes; 1 where there is nothing but that
    loss, factor   the same of the losses
    laptop …       of the runs of the profile SMALL

    A row whose runs have fewer checks in common has a dash; one without either is left out.
    """
    nothing = Replicates.of([])
    full, small = (_replicates_by_row(histories(profile=name)) for name in ("paper", SMALL))
    groups = {"the author’s baselines": (_author_baselines(), nothing)}
    for row in load_matrix().experiments:
        groups[row.label] = full.get(row.label, nothing), small.get(row.label, nothing)
    lines = [
        {"runs of one recipe": label, **_apart(full), **{f"laptop {name}": told for name, told in _apart(few).items()}}
        for label, (full, few) in groups.items()
    ]
    told = pd.DataFrame(lines)
    return told[(told["runs"] != "–") | (told["laptop runs"] != "–")].reset_index(drop=True)


def _replicates_by_row(found: Iterable[tuple[Experiment, int, pd.DataFrame]]) -> dict[str, Replicates]:
    return {row.label: Replicates.of([history for _, history in row.ours]) for row in curves(found)}


def _apart(group: Replicates) -> dict[str, str]:
    """Word the spread of one group for `seeds_apart`; dashes where they have too few checks in common."""
    checks = max(map(len, group.apart), default=0)
    if checks < statistic.WINDOW:
        return dict.fromkeys(("runs", "checks", "val, × noise", "loss, factor"), "–")
    val, loss = (statistic.spread([group], measure, statistic.WINDOW)[0] ** 0.5 for measure in ("val", "loss"))
    return {
        "runs": str(group.runs),
        "checks": str(checks),
        "val, × noise": f"{val:.1f}",
        "loss, factor": f"{np.exp(loss):.2f}",
    }


def other_order(experiment: Experiment) -> Experiment:
    """Swap ReLU and BatchNorm in each of the experiment's blocks, with a label that says so."""
    after = not experiment.recipe.norm_after_relu
    recipe = experiment.recipe.model_copy(update={"norm_after_relu": after})
    label = f"{experiment.label}, {'ReLU' if after else 'BatchNorm'} first"
    return experiment.model_copy(update={"recipe": recipe, "label": label})


def mlp_orders() -> list[tuple[Experiment, int, pd.DataFrame]]:
    """Find the MLP's runs with BatchNorm before ReLU, then as its author had it; as in `histories`."""
    mlp = load_experiment("mlp")
    return histories([other_order(mlp), mlp])


def last_ten(checks: pd.DataFrame) -> pd.Series:
    """Pick the val accuracies in %, (10,), at the last ten checks up to iteration 5,000 of a history or a log."""
    return 100 * checks.loc[checks["iteration"].between(4100, PAPER_ITERATIONS), "val_accuracy"]


# ---- a run beside its log ------------------------------------------------------------------------


@dataclass(frozen=True)
class Likeness:
    """What a run's checks say of its likeness to the author's.

    iteration  of our last check;  checks: how many both have after iteration 0
    first      our first loss − the logged one, None where none was logged
    loss, train, val   None where there is nothing to compare
    why        in a few words, where the verdict takes any
    """

    experiment: Experiment
    seed: int
    iteration: int
    verdict: LikenessVerdict
    why: str = ""
    checks: int = 0
    first: float | None = None
    loss: Interval | None = None
    train: Interval | None = None
    val: Interval | None = None


def likeness(experiment: Experiment, ours: pd.DataFrame, seed: int = 0) -> Likeness:
    """Judge a history of the full protocol (columns as in `author_log`) by the author's log of the row."""
    iteration = int(ours["iteration"].max())
    if why := incomparable(experiment):
        return Likeness(experiment, seed, iteration, "not compared", why)
    if broken := _broken_at(ours):
        return Likeness(experiment, seed, iteration, "differs", broken)
    log = comparable_log(experiment)
    apart = differences(ours, log)
    at_start = pd.concat([curve[curve["iteration"] == 0]["batch_loss"] for curve in (ours, log)])
    difference = float(at_start.iloc[0] - at_start.iloc[1]) if len(at_start) == 2 else np.nan
    first = None if np.isnan(difference) else difference
    found: dict[str, Interval] = {}
    if len(apart):
        replicates = known_replicates(experiment)
        means = {measure: mean_difference(apart, measure, replicates) for measure in MEASURES}
        found = {measure: mean for measure, mean in means.items() if mean}
    verdict, why = statistic.verdict_of(len(apart), first, found)
    by_measure = [found.get(measure) for measure in MEASURES]
    return Likeness(experiment, seed, iteration, verdict, why, len(apart), first, *by_measure)


def likenesses(found: Iterable[tuple[Experiment, int, pd.DataFrame]]) -> list[Likeness]:
    """Judge every run of `histories`."""
    return [likeness(experiment, history, seed) for experiment, seed, history in found]


def _broken_at(ours: pd.DataFrame) -> str:
    """Say where our own curve stops being numbers; "" where it never does."""
    figures = ours[["batch_loss", "train_accuracy", "val_accuracy"]].to_numpy(float)
    # a curve without losses, as some of the author's are; ours always begin with one
    if np.isnan(figures[:, 0]).all():
        figures[:, 0] = 1.0
    broken = ~np.isfinite(figures).all(axis=1) | (figures[:, 0] <= 0)
    if not broken.any():
        return ""
    return f"no loss or accuracy of ours at iteration {int(ours['iteration'].to_numpy()[broken].min()):,}"


# ---- where checks were made ----------------------------------------------------------------------


class Origin(NamedTuple):
    """Where the checks of a history were made; where there are several devices, precisions or commits, all of them."""

    device: str
    convolutions: str
    commit: str


def origin_of(history: pd.DataFrame) -> Origin:
    """Name where a history's checks were made."""
    lines = history.reindex(columns=list(ORIGIN_COLUMNS)).astype("string").fillna("").to_dict("records")
    devices = [
        device_words({"backend": line["backend"], "device": line["device"]})
        + (f" ({line['processor']})" if line["device"] == "CPU" and line["processor"] else "")
        for line in lines
    ]
    convolutions, commits = ([line[name] or "unknown" for line in lines] for name in ("convolutions", "commit"))
    return Origin(*(listed(dict.fromkeys(words)) for words in (devices, convolutions, commits)))


# ---- in words ------------------------------------------------------------------------------------


def likeness_table(found: Iterable[Likeness]) -> pd.DataFrame:
    """Write likenesses as text, a line a run: how far it has come, the differences with intervals, the verdict."""

    def written(mean: Interval | None, checks: int, form: Callable[[float], str]) -> str:
        if mean is None:
            return "–"
        # fewer do not say how they scatter
        known = checks >= statistic.FEWEST
        return form(mean.value) + (f" ({form(mean.low)} to{JOIN} {form(mean.high)})" if known else "")

    return pd.DataFrame(
        [
            {
                "row": j.experiment.label,
                "seed": j.seed,
                "iteration": f"{j.iteration:,}",
                "checks": j.checks,
                "first loss": "–" if j.first is None else signed(j.first, 2),
                "loss, ours : author’s": written(j.loss, j.checks, lambda x: f"{np.exp(x):.2f}"),
                "train, points": written(j.train, j.checks, signed),
                "val, points": written(j.val, j.checks, signed),
                "verdict": j.verdict + (f": {j.why}" if j.why else ""),
            }
            for j in found
        ]
    )


def summary(judgements: Sequence[Likeness]) -> str:
    """Say in sentences how many runs agree with the author's log."""
    if not judgements:
        return NOTHING
    by_verdict = {
        verdict: [j for j in judgements if j.verdict == verdict]
        for verdict in ("agrees", "differs", "undecided", "not compared")
    }
    agree, differ = (
        f"{len(found)} {words}{f' ({listed(_with_seeds(found, judgements))})' if found else ''}"
        for found, words in ((by_verdict["agrees"], "in agreement"), (by_verdict["differs"], "different"))
    )
    said = (
        f"Runs beside the author’s log, all seeds where none is named: {agree}, {differ}, "
        f"{len(by_verdict['undecided'])} undecided, {len(by_verdict['not compared'])} without a log of this network."
    )
    firsts = [abs(j.first) for j in judgements if j.first is not None]
    if firsts:
        said += (
            f" The first losses that can be compared, {len(firsts)}, lie at most {max(firsts):.2f} from the logged "
            f"ones (median {float(np.median(firsts)):.2f})."
        )
    return said


def _with_seeds(judgements: Iterable[Likeness], among: Iterable[Likeness]) -> list[str]:
    """List rows, each once, with its seeds where these are not all that were judged of it."""
    every = Counter(judged.experiment.label for judged in among)
    seeds: dict[str, list[int]] = {}
    for judged in judgements:
        seeds.setdefault(judged.experiment.label, []).append(judged.seed)
    return [f"{label} ({seed_words(own)})" if len(own) < every[label] else label for label, own in seeds.items()]


def source_words(
    found: Sequence[tuple[Experiment, int, pd.DataFrame]], where: str = "Full protocol, Omniglot, 105×105 pixels"
) -> str:
    """Say where histories come from, in a sentence: "Full protocol, Omniglot, 105×105 pixels, seed 0, …"."""
    if not found:
        return NOTHING
    every = origin_of(pd.concat([history for _, _, history in found], ignore_index=True))
    return (
        f"{where}, {seed_words(sorted({seed for _, seed, _ in found}))}, "
        f"{every.device}, convolutions in {every.convolutions}, commit {every.commit}."
    )
