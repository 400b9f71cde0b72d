"""The paper's future work: its network and ours on faces of people whom neither was trained on.

A run's folder holds the answers, a bit each, and the seeds give the same episodes again: accuracy by number of ways,
by person, and who is taken for whom are computed without a picture. There are few people and thousands of
episodes, so that episodes are not independent: an interval over people and seeds stands beside Wilson's over episodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..config import with_seeds
from ..data import archives
from ..data.dataset import Split
from ..evaluation.accuracy import score_of
from ..evaluation.episodes import Episodes, draw_episodes
from ..evidence.significance import Interval
from ..report.rendering import render_html
from ..report.study import Study, show_html, show_line
from ..text import how_many, number, seed_words
from ..training.integrity import answers_name
from ..training.provenance import short_commit
from ..training.runs import Run
from .config import load_method, methods_of
from .scoring import EPISODE_SEED, seed_of_ways
from .study import method_jobs

FACES = "att-faces"
# the profile under which pictures are trained, whatever a notebook's own is
PROFILE = "laptop"
BOOTSTRAPS, BOOTSTRAP_SEED = 10_000, 4_000
# of `accuracy_by_ways`
COLUMNS = ["name", "title", "ways", "seeds", "accuracy", "low", "high", "wilson_low", "wilson_high"]


# ---- the runs ------------------------------------------------------------------------------------


def runs_on_faces(study: Study) -> dict[str, list[Run]]:
    """Find the runs on the AT&T faces: method's name → its runs, one a seed; a method without a run is left out.

    They are of `PROFILE`, with the study's own seeds where it has that profile, too. What is missing is trained where
    the faces are at hand, unless the study's own characters are drawn by a program; nothing is downloaded. A line says
    what is not here.
    """
    profile = with_seeds(PROFILE, study.profile.seeds if study.profile.name == PROFILE else ())
    jobs = {}
    for method in methods_of("pictures", profile):
        # where nothing is learned, a seed changes nothing, and the first will do
        seeds = profile.seeds if method.network.blocks or method.experiment else profile.seeds[:1]
        jobs[method.name] = method_jobs([method], profile, seeds, held_out="evaluation", archive=FACES)
    every = [job for own in jobs.values() for job in own]
    at_hand = archives.place_of(FACES).is_file() and study.profile.dataset != "synthetic"
    there = [job for job in every if job.find()]
    if not at_hand and len(there) < len(every):
        show_line(
            f"{len(there)} of {how_many(len(every), 'run')} on faces are here. Others need a profile with real data "
            "and the AT&T faces: set SIAMESE_FACES_DIR to the folder of att_faces.zip, or let "
            f"`siamese learn pictures-beyond --data {FACES} --evaluation` download them."
        )
        every = there
    if every:
        replace(study, profile=profile).complete(every)
    found = {name: [run for job in own if (run := job.find())] for name, own in jobs.items()}
    return {name: runs for name, runs in found.items() if runs}


def source_words(runs: Sequence[Run]) -> str:
    """Say in one line where a figure or table on faces comes from."""
    sizes = sorted({run.image_size for run in runs})
    commits = dict.fromkeys(short_commit(run.metrics["provenance"]) for run in runs)
    return " · ".join(
        [
            f"AT&T faces, {', '.join(f'{size}×{size}' for size in sizes)} pixels",
            f"profile {PROFILE}",
            seed_words(sorted({run.seed for run in runs})),
            how_many(len(runs), "run"),
            f"commit {', '.join(commits)}",
        ]
    )


# ---- what their answers say ----------------------------------------------------------------------


def ways_of(run: Run) -> list[int]:
    """List the numbers of classes that a run was asked about under the strict protocol, ascending."""
    return sorted(score["ways"] for score in run.metrics["scores"] if score["protocol"] == "strict")


def strict_answers(run: Run, n_way: int) -> tuple[Episodes, np.ndarray]:
    """Draw a run's strict episodes of so many ways again, without an image → them, and which were correct."""
    scores, sizes = run.metrics["scores"], run.metrics["scored_images"]
    blank = Split.of({name: np.empty((count, 0, 0), np.uint8) for name, count in sizes.items()})
    score = next(s for s in scores if (s["protocol"], s["ways"]) == ("strict", n_way))
    seed = [EPISODE_SEED, 0] if n_way == max(ways_of(run)) else seed_of_ways(n_way)
    drawn = draw_episodes(blank, n_way=n_way, n_episodes=score["episodes"], seed=seed)
    return drawn, run.answers()[answers_name(score, scores)]


def by_class(runs: Sequence[Run], n_way: int) -> np.ndarray:
    """Compute the share of each class's queries that each run answers correctly → (runs, classes), in %."""
    found = []
    for run in runs:
        drawn, correct = strict_answers(run, n_way)
        asked = np.bincount(drawn.query[:, 0], minlength=len(run.metrics["scored_images"]))
        found.append(100 * np.bincount(drawn.query[correct, 0], minlength=len(asked)) / asked)
    return np.array(found)


def over_classes(shares: np.ndarray) -> Interval:
    """Average (runs, classes) shares, or differences of such, with a percentile bootstrap interval.

    Classes are resampled with replacement, and so are runs: B. Efron and R. Tibshirani, An Introduction to the
    Bootstrap, 1993, Section 13.3. That a class is also a rival of the others is not taken into account.
    """
    rng, (runs, classes) = np.random.default_rng(BOOTSTRAP_SEED), shares.shape
    rows = rng.integers(0, runs, (BOOTSTRAPS, runs, 1))
    means = shares[rows, rng.integers(0, classes, (BOOTSTRAPS, 1, classes))].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(shares.mean()), float(low), float(high))


def accuracy_by_ways(groups: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Tabulate accuracy in %, a line for each method and number of ways.

    Columns: name, title, ways, seeds; accuracy, low, high over classes and seeds; wilson_low and wilson_high over the
    episodes of all seeds as if they were independent.
    """
    lines = []
    for name, runs in groups.items():
        for n_way in ways_of(runs[0]):
            found = over_classes(by_class(runs, n_way))
            wilson = score_of(np.concatenate([strict_answers(run, n_way)[1] for run in runs]))
            line = {"name": name, "title": load_method(name).title, "ways": n_way, "seeds": len(runs)}
            line |= {"accuracy": found.value, "low": found.low, "high": found.high}
            lines.append(line | {"wilson_low": 100 * wilson.low, "wilson_high": 100 * wilson.high})
    return pd.DataFrame(lines, columns=COLUMNS)


def difference(first: Sequence[Run], second: Sequence[Run], n_way: int) -> Interval:
    """Estimate how far the first method is ahead of the second at so many ways, in points, paired by class.

    Runs of one seed are a pair; the one run of a method that learns nothing stands beside each of the others.
    """
    by_seed = {run.seed: run for run in second}
    theirs = [by_seed.get(run.seed, second[0]) for run in first]
    return over_classes(by_class(first, n_way) - by_class(theirs, n_way))


def confusions(runs: Sequence[Run]) -> tuple[list[str], np.ndarray]:
    """Count who is taken for whom in the 2-way episodes → classes' names, and (classes, classes) errors in %.

    Row: who the query shows; column: who the other is. The mean over the runs; NaN on the diagonal.
    """
    names = list(runs[0].metrics["scored_images"])
    found = []
    for run in runs:
        drawn, correct = strict_answers(run, 2)
        rival = drawn.support[np.arange(len(drawn)), 1 - drawn.target, 0, 0]
        counts = np.zeros((2, len(names), len(names)))
        np.add.at(counts[0], (drawn.query[:, 0], rival), 1)
        np.add.at(counts[1], (drawn.query[:, 0], rival), ~correct)
        np.fill_diagonal(counts[0], np.nan)
        found.append(100 * counts[1] / counts[0])
    return names, np.mean(found, axis=0)


def ways_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Format the lines of `accuracy_by_ways` as text for a table."""
    words = frame[["accuracy", "low", "high", "wilson_low", "wilson_high"]].map(number)
    table = {
        "": frame["title"],
        "people": frame["ways"].astype(str),
        "accuracy in %": words["accuracy"],
        "over people and seeds": words["low"] + " to " + words["high"],
        "over episodes": words["wilson_low"] + " to " + words["wilson_high"],
    }
    return pd.DataFrame(table)


def show_finding(groups: Mapping[str, Sequence[Run]]) -> None:
    """Show `finding`."""
    show_html(finding(groups))


def finding(groups: Mapping[str, Sequence[Run]]) -> Markup:
    """Say who wins on faces, by how much, and who is taken for whom: HTML, computed from the runs."""
    frame = accuracy_by_ways(groups)
    n_way = int(frame["ways"].max()) if len(frame) else 0
    titles = {name: load_method(name).title for name in groups}
    # the last row, which learns most, comes first
    pairs = combinations(list(groups)[::-1], 2)
    gaps = [(titles[one], titles[other], difference(groups[one], groups[other], n_way)) for one, other in pairs]
    worst = None
    if best := groups.get("pictures-beyond"):
        names, errors = confusions(best)
        row, column = np.unravel_index(np.nanargmax(errors), errors.shape)
        worst = {"query": names[row], "rival": names[column], "error": float(errors[row, column])}
    return render_html(
        "conclusions/faces.html.j2",
        lines=frame[frame["ways"] == n_way].to_dict("records") if len(frame) else [],
        n_way=n_way,
        gaps=gaps,
        worst=worst,
    )
