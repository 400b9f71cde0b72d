"""The table of docs/running.md: what each row of the matrix takes. `siamese scoreboard` writes it."""

from collections import Counter

from ..config import Profile, load_experiment, load_matrix
from ..data.omniglot import ARCHIVES, DRAWERS
from ..models.cost import V100_MINUTES, cost_of, gpu_minutes
from ..training.runs import Run, find_so_far
from .rendering import render


def costs_markdown(profile: Profile) -> str:
    """Tabulate memory and work of every row, counted; minutes on a GPU by the paper's word; the pace of runs."""
    baseline = load_experiment("baseline")
    reference = cost_of(baseline, profile)
    steps = profile.scaled(baseline.recipe.iterations)
    rows, minutes = [], 0.0
    for experiment in load_matrix().experiments:
        runs = [run for seed in profile.seeds if (run := find_so_far(experiment, profile, seed))]
        run = max(runs, key=lambda run: len(run.history), default=None)
        if run and len(run.history) < 2:
            # the first check alone tells no pace
            run = None
        cost = cost_of(experiment, profile)
        length = profile.scaled(experiment.recipe.iterations)
        alone = gpu_minutes(experiment, profile)
        minutes += alone
        rows.append(
            {
                "label": experiment.label,
                "cost": cost,
                "work": cost.flop / reference.flop,
                "minutes": alone,
                "pace": run.pace if run else float("nan"),
                "measured": run.pace * length / 60 if run else float("nan"),
                "machine": _machine(run) if run else "",
            }
        )
    values = {
        "profile": profile,
        "rows": rows,
        "pairs": profile.batch_size or baseline.recipe.batch_size,
        "v100_minutes": V100_MINUTES,
        "rate": reference.flop * steps / (60 * V100_MINUTES),
        "total_hours": minutes * len(profile.seeds) / 60,
        "dataset_bytes": ARCHIVES["train"].characters * DRAWERS * profile.image_size**2,
    }
    return render("costs.md.j2", values)


def _machine(run: Run) -> str:
    """Name what most of the checks behind the pace were computed on, as far as they say: "AMD EPYC, float32"."""
    names = []
    for check in run.history.tail(5).to_dict("records"):
        place = "processor" if check.get("device") in (None, "CPU") else "device"
        names.append(", ".join(check[name] for name in (place, "convolutions") if isinstance(check.get(name), str)))
    return Counter(names).most_common(1)[0][0]
