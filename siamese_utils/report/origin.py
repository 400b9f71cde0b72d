"""Where a figure or table comes from, and how far its runs are, in words."""

from collections.abc import Iterable, Sequence

from ..config import Profile
from ..evidence.board import trained_on
from ..text import dataset_words, how_many, named, seed_words
from ..training.provenance import code_version, short_commit
from ..training.runs import Run

# runs that a figure names
MOST = 6


def origin(profile: Profile, runs: Iterable[Run] = ()) -> str:
    """Say where a figure or table comes from, in one line: profile, dataset, seeds, runs with their ids, commit."""
    runs = list(runs)
    seeds = sorted({run.seed for run in runs}) or [profile.seeds[0]]
    versions = [run.metrics.get("provenance", {}) for run in runs] or [code_version()]
    commits = dict.fromkeys(map(short_commit, versions))
    words, under_way = how_many(len(runs), "run"), sum(not run.finished for run in runs)
    if under_way:
        words += " under way" if under_way == len(runs) else f", {under_way} of them under way"
    ids = named((run.run_id for run in runs), MOST)
    return " · ".join(
        [
            f"Profile {profile.name}",
            dataset_words(profile, (run.image_size for run in runs)),
            seed_words(seeds),
            *([f"{words} ({ids})", trained_on(runs)] if runs else ["no training run"]),
            f"commit {', '.join(commits)}",
        ]
    )


def so_far_words(runs: Sequence[Run], wanted: int) -> str:
    """Say what is on disk where nothing may be trained, in a sentence."""
    under_way = [
        f"{run.experiment.label} (seed {run.seed}) at iteration {run.metrics['iterations']:,}"
        for run in runs
        if not run.finished
    ]
    words = f"Nothing is trained for this page. Of {how_many(wanted, 'run')}, {len(runs) - len(under_way)} finished"
    return words + (f", {len(under_way)} under way: {'; '.join(under_way)}." if under_way else ".")
