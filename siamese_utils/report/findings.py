"""What was found: the numbers of a few sentences, from the runs, the paper's figures and the author's logged losses.

The sentences stand in templates/findings.md.j2 and conclusion.html.j2; one that the runs at hand do not bear has None
or nothing here.
"""

from collections.abc import Callable, Hashable, Mapping
from math import hypot
from typing import Any

import pandas as pd

from ..config import Experiment, Profile, load_experiment, load_matrix, load_profile
from ..evidence.author_logs import comparable_log
from ..evidence.board import NOT_IN_TABLE, Board
from ..evidence.claims import FirstLoss
from ..evidence.estimates import LEARNED, Term, Z, paper_of, resolution
from ..evidence.fidelity import Likeness, histories, last_ten, likenesses
from ..evidence.likeness import WIDEST
from ..text import number, signed
from ..training.runs import check_iterations
from .rendering import render

MOST = 6
# seeds of one row this many points apart are named beside their mean
FAR = 10
# no line ends there
SPACE = "\u00a0"
# rows that a sentence calls otherwise than a table does
SHORT = {"baseline": "the baseline", "mlp": "the MLP"}


def findings(known: Mapping[str, Any]) -> list[str]:
    """Write the sentences on what the runs and the logs teach, the first that have their `numbers`."""
    paragraphs = render("findings.md.j2", known).split("\n\n")
    sentences = [" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()]
    return [sentence.replace(" %", f"{SPACE}%").replace(" ± ", f"{SPACE}±{SPACE}") for sentence in sentences][:MOST]


def numbers(board: Board) -> dict[str, Any]:
    """Collect every number and name that the sentences need, by the finding."""
    rows = _on_omniglot(board)
    # the networks that the paper's own table has above the baseline, within its noise
    above = board.rows.query("paper_difference > 0 and not apart and variant != 'as described'")
    learned = rows[rows["ours_val"] > LEARNED]
    # by how much the author's episodes flatter the networks that learned, against strict ones
    leak = (learned["ours_val"] - learned["strict_val"]).agg(["median", "min", "max"])
    # how far training accuracy lies above validation in the paper's figures, in points
    papers = {name: paper_of(name) for name in ("baseline", "without-dropout")}
    return {
        "profile": board.profile,
        "counts": board.counts,
        "beside_log": _beside_log(board.profile),
        "reaches_paper": _reaches_paper(board),
        "ruled_out": _ruled_out(board),
        "resolution": _resolution(board.rows),
        "gaps": {name: paper.train - paper.val for name, paper in papers.items()},
        "seed_spread": _seed_spread(board),
        "author_there": author_there(board.profile),
        "paper_above": [f"{row['label']} ({number(row['paper_val'])} %)" for row in above.to_dict("records")],
        "best": _best(rows),
        "pattern": pattern(rows),
        "low_checks": _low_checks(),
        "has_author_there": bool(board.rows["author_difference"].notna().any()),
        "leak": dict(zip(("median", "low", "high"), leak, strict=True)) if len(learned) else None,
        **_sides(rows),
    }


def differences_by_notebook(board: Board) -> dict[str, str]:
    """Say what each notebook's networks came to, in points to the baseline, in a few words: by the notebook's name."""
    rows = _on_omniglot(board)
    rows = rows[rows["difference"].notna() & (rows["variant"] != "as described")]
    return {
        str(notebook): ", ".join(f"{row['row']} {signed(row['difference'])}" for row in own.to_dict("records"))
        for notebook, own in rows.groupby("notebook")
    }


def author_there(profile: Profile) -> dict[str, float] | None:
    """Read the author's baseline in % off the log, where the profile stops and at its end; None at the full length."""
    log = comparable_log(load_experiment("baseline")).set_index("iteration")["val_accuracy"] * 100
    if profile.iterations not in log.index[:-1]:
        return None
    return {"there": log[profile.iterations], "end": log.iloc[-1]}


def run_as_the_author(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the networks that have run here and are those of the paper's numbers, from rows of a `Board`."""
    return rows[(rows["seeds"] > 0) & (rows["variant"] != "as described") & rows["paper_val"].notna()]


def pattern(rows: pd.DataFrame) -> dict[str, float]:
    """Say how far rows of a `Board` repeat the paper's order of the networks as run.

    apart        networks that the paper's episodes tell from its baseline, all of them below it, and that have run
    below        of these, the ones below the baseline here
    clearly      of these, the ones whose 95 % interval leaves out zero
    networks     that have run
    correlation  of the ranks of their accuracies, the paper's and ours (Spearman); NaN for fewer than three
    logged       networks whose difference to the baseline can be read in the author's log where our training stops
    beside_log   of the ranks of these differences, the author's there and ours; NaN for fewer than three
    """
    run = run_as_the_author(rows)
    known = run[run["difference"].notna()]
    apart, logged = known[known["apart"].astype(bool)], known[known["author_difference"].notna()]
    return {
        "apart": len(apart),
        "below": int((apart["difference"] < 0).sum()),
        "clearly": int((apart["difference_high"] < 0).sum()),
        "networks": len(run),
        "correlation": _of_ranks(run["paper_val"], run["ours_val"]),
        "logged": len(logged),
        "beside_log": _of_ranks(logged["author_difference"], logged["difference"]),
    }


def _of_ranks(first: pd.Series, second: pd.Series) -> float:
    """Correlate the ranks of two columns (Spearman); NaN for fewer than three."""
    return float(first.rank().corr(second.rank())) if len(first) > 2 else float("nan")


def _beside_log(profile: Profile) -> dict[str, list[str]]:
    """List the rows of Table 1 at the full protocol that agree with the log, or differ, by their longest runs.

    Of several that came as far, one that differs decides; the row says how many do, where not all of them. A row that
    is not at its end yet says how far it has come.
    """
    found: dict[str, list[str]] = {"agrees": [], "differs": []}
    rows: dict[str, list[Likeness]] = {}
    for judged in likenesses(histories()) if profile == load_profile("paper") else ():
        # the baseline twice as long, not in the table, begins with the baseline's own iterations
        if judged.experiment.paper:
            rows.setdefault(judged.experiment.name, []).append(judged)
    for own in rows.values():
        experiment, came = own[0].experiment, max(judged.iteration for judged in own)
        verdicts = [judged.verdict for judged in own if judged.iteration == came]
        verdict = next((word for word in ("differs", "agrees") if word in verdicts), None)
        if verdict:
            end = check_iterations(experiment, profile)[-1]
            differing = verdicts.count("differs")
            some = f" ({differing} of {len(verdicts)} seeds)" if 0 < differing < len(verdicts) else ""
            found[verdict].append(_short(experiment) + (f" up to {came:,}" if came < end else "") + some)
    return found


def _reaches_paper(board: Board) -> dict[str, list[str]]:
    """List the rows whose accuracy on new characters is the paper's within the noise of both, the others, and the open.

    The noise, 95 %: our interval, the paper's 250 episodes, and its one seed, with the spread between ours. It is asked
    at the full protocol only, of the networks that the author trained.
    """
    found: dict[str, list[str]] = {"yes": [], "no": [], "open": []}
    rows = board.rows.query("variant != 'as described' and seeds > 0 and paper_val.notna()")
    for row in rows.to_dict("records") if board.profile.is_paper_protocol else ():
        ours, paper = board.evidence.estimate((Term(1, row["experiment"]),)), row["paper_val"]
        if not ours or not ours.has_interval:
            continue
        noise = hypot(ours.high - ours.value, resolution(paper), Z * board.evidence.spread_at(paper))
        # what is known so roughly that it fits much is left open
        answer = "no" if abs(ours.value - paper) > noise else "yes" if noise < WIDEST["val"] else "open"
        words = f"{_short(load_experiment(row['experiment']))} ({number(ours.value)} %, paper {number(paper)} %)"
        found[answer].append(words)
    return found


def _on_omniglot(board: Board) -> pd.DataFrame:
    """Return the board's rows where runs on Omniglot stand behind them; else none."""
    return board.rows if board.profile.dataset == "omniglot" and board.evidence.most_seeds else board.rows[:0]


def _ruled_out(board: Board) -> list[str]:
    """List the rows of Table 1 whose described network the author's first loss rules out; no run of ours is needed."""
    refuted = [
        judgement.claim.check
        for judgement in board.judgements
        if isinstance(judgement.claim.check, FirstLoss) and judgement.verdict == "not reproduced"
    ]
    # a check with changes of its own is of one reading of the text, where that permits two
    clear = [check for check in refuted if not check.starts_at and not check.changes]
    described = [load_experiment(name) for check in clear for name in check.of]
    return [_short(row) for row in described]


def _short(row: Experiment) -> str:
    """Return a row's label without its variant."""
    return SHORT.get(row.name, row.short_label)


def _resolution(rows: pd.DataFrame) -> dict[str, Any]:
    """Count the rows that the paper's episodes tell from the baseline; find the half-width of a difference there."""
    variants = rows[rows["group"] != NOT_IN_TABLE].query("experiment != 'baseline' and variant != 'as run'")
    baseline = paper_of("baseline").val
    return {
        "variants": len(variants),
        "apart": int(variants["apart"].sum()),
        "half_width": resolution(baseline, baseline),
    }


def _sides(rows: pd.DataFrame) -> dict[str, list[str]]:
    """List the networks below the baseline as in the paper, otherwise than there, or whose similarities all tie.

    Of a network that was not run as described, the one that was run: the paper's figure is of it.
    """
    rows = rows[(rows["seeds"] > 0) & (rows["variant"] != "as described")]
    untrained, ours = rows["degenerate"].astype(bool), rows["difference"]
    clear = ~untrained & (rows["difference_low"] * rows["difference_high"] > 0)
    holds = rows["verdict"].isin(("reproduced", "direction only")) & rows["apart"].astype(bool)
    below = clear & holds & (ours < 0)
    otherwise = clear & (ours * rows["paper_difference"] < 0)

    def named(chosen: pd.Series, words: Callable[[dict[Hashable, Any]], str]) -> list[str]:
        return [f"{SHORT.get(r['experiment'], r['label'])} ({words(r)})" for r in rows[chosen].to_dict("records")]

    def beside_paper(row: dict[Hashable, Any]) -> str:
        noise = number(resolution(row["paper_val"], paper_of("baseline").val))
        return f"{signed(row['difference'])}; paper {signed(row['paper_difference'])} ± {noise}"

    def with_seeds(row: dict[Hashable, Any]) -> str:
        low, high = row["seed_low"], row["seed_high"]
        return signed(row["difference"]) + (f"; seeds {number(low)} to {number(high)} %" if high - low > FAR else "")

    return {
        "below": named(below, with_seeds),
        "otherwise": named(otherwise, beside_paper),
        "untrained": named(untrained, lambda row: f"paper {number(row['paper_val'])} %"),
    }


def _low_checks() -> list[str]:
    """Name the rows whose figure in Table 1, the last check of the author's log, is the lowest of its last ten."""
    logs = {row: last_ten(comparable_log(row)) for row in load_matrix().experiments if row.paper}
    return [
        f"{_short(row)} ({number(ten.iloc[-1])} %, mean {number(ten.mean())} %)"
        for row, ten in logs.items()
        if len(ten) and ten.iloc[-1] == ten.min()
    ]


def _best(rows: pd.DataFrame) -> dict[str, Any] | None:
    """Find the best network of Table 1, and the baseline's accuracy; None where that has not run."""
    rows = rows[(rows["group"] != NOT_IN_TABLE) & (rows["seeds"] > 0)].sort_values("ours_val")
    baseline = rows.loc[rows["experiment"] == "baseline", "ours_val"]
    if baseline.empty:
        return None
    best = rows.iloc[-1]
    return {
        "name": best["experiment"],
        "label": best["label"],
        "val": best["ours_val"],
        "baseline": baseline.item(),
        "open": bool(best["difference_low"] <= 0 <= best["difference_high"]),
    }


def _seed_spread(board: Board) -> dict[str, float] | None:
    """Find the standard deviation between seeds near 50 %, and how far apart two networks of one run each must be."""
    if board.profile.dataset != "omniglot" or board.evidence.most_seeds < 2:
        return None
    spread = board.evidence.spread_at(50)
    return {"points": spread, "apart": Z * 2**0.5 * spread}
