"""Is this the author's training? The first iterations at the full protocol, check by check over his log.

The 5,000 iterations need a GPU, but the curve's beginning tells a wrong recipe from the right one in minutes: the loss
is dominated by the L2 penalty, which falls at a pace set by learning rate, decay and penalty together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import DataError
from .evaluation import wilson
from .evidence import resolution
from .params import Experiment, load_experiment, load_matrix, load_profile
from .paths import reports_dir
from .provenance import provenance
from .results import find_so_far, run_folder, write_json
from .training import Progress, run_until
from .words import device_words, listed, number, signed

LOG_COLUMNS = ("model", "iteration", "batch_loss", "train_accuracy_pct", "val_accuracy_pct")


def compare(
    iterations: int,
    author_logs: Path | None,
    seed: int = 0,
    experiment: str | Experiment = "baseline",
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Train an experiment under the `paper` profile up to an iteration; CSV, JSON and a figure go to
    reports/paper/fidelity. There is no figure of one or two checks.

    author_logs  a CSV with the columns of LOG_COLUMNS, or None: then only our curve is drawn. The run's checkpoint
    stays, and a full run goes on from there. Raises DataError where the logs cannot be read.
    """
    experiment, profile = load_experiment(experiment), load_profile("paper")
    author = None
    if author_logs is not None and experiment.author:
        author = read_author_log(author_logs, experiment.author.run)

    def progress(step: Progress) -> None:
        tell(
            f"iteration {step.iteration:5}  loss {step.batch_loss:.3f}  val accuracy {step.val_accuracy:.1%}"
        )

    run_id = run_folder(experiment, profile, seed)[0].name
    folder = fidelity_dir()
    paths = [folder / f"{experiment.name}-s{seed}.{ending}" for ending in ("csv", "json", "png")]
    origin = _origin(paths[1], run_id, iterations)
    if origin and author is None:  # what is there may have been compared with the log
        return [path for path in paths if path.is_file()]
    if origin is None:
        run_until(experiment, profile, seed, iterations, progress=progress)
        found = find_so_far(experiment, profile, seed)
        assert found is not None
        ours = found.history
        ours = ours[ours["iteration"] <= iterations]
        folder.mkdir(parents=True, exist_ok=True)
        ours.to_csv(paths[0], index=False)
        origin = provenance()
    else:  # trained earlier, maybe elsewhere: compare and draw what it left
        ours = pd.read_csv(paths[0])
    write_json(
        paths[1],
        {
            "run_id": run_id,
            "experiment": experiment.name,
            "profile": profile.name,
            "seed": seed,
            "dataset": profile.dataset,
            "check_episodes": profile.check_episodes,
            "checks": side_by_side(ours, author).astype(object).where(pd.notna, None).to_dict("records"),
            "author_log": f"the author's public log of run {experiment.author.run}"
            if author is not None and experiment.author
            else None,
            "provenance": origin,
        },
    )
    if len(ours) > 2:  # a curve
        _draw(ours, author, seed, origin, experiment.label).savefig(paths[2], dpi=130)
    return [path for path in paths if path.is_file()]


def fidelity_dir() -> Path:
    return reports_dir() / "paper" / "fidelity"


def kept() -> dict[str, dict[str, Any]]:
    """What earlier comparisons left: experiment → the JSON file's content, in the matrix's order, one seed each."""
    found = {}
    for experiment in load_matrix().experiments:
        for path in sorted(fidelity_dir().glob(f"{experiment.name}-s[0-9]*.json"))[:1]:
            found[experiment.name] = json.loads(path.read_text(encoding="utf-8"))
    return found


def curves(
    comparisons: dict[str, dict[str, Any]], author_logs: str | Path = ""
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Our checks and the author's by the experiment's label; his from the log file, else as far as they were kept."""
    ours, logs = {}, {}
    for name, comparison in comparisons.items():
        experiment, checks = load_experiment(name), pd.DataFrame(comparison["checks"])
        ours[experiment.label] = checks
        if author_logs and experiment.author:
            log = read_author_log(Path(author_logs), experiment.author.run)
        elif "batch_loss_author" in checks:
            log = checks[["iteration", "batch_loss_author"]].dropna()
            log = log.rename(columns={"batch_loss_author": "batch_loss"})
        else:
            continue
        if len(log):
            logs[experiment.label] = log
    return ours, logs


def kept_words(comparisons: dict[str, dict[str, Any]]) -> str:
    """Where earlier comparisons come from, in a sentence: "Full protocol, Omniglot 105×105, seed 0, JAX on …"."""
    if not comparisons:
        return "Nothing has been run at the full protocol yet."
    kept = comparisons.values()
    seeds = ", ".join(sorted({str(c["seed"]) for c in kept}))
    machines = listed(dict.fromkeys(device_words(c["provenance"]) for c in kept))
    commits = listed(dict.fromkeys((c["provenance"].get("commit") or "unknown")[:10] for c in kept))
    return f"Full protocol, Omniglot, 105×105 pixels, seed {seeds}, {machines}, commit {commits}."


def agreement(comparisons: dict[str, dict[str, Any]]) -> str:
    """How near earlier comparisons are to the author's logs, in sentences; those of other networks than his left out.

    Two val accuracies of 250 episodes each agree where their difference is within its 95 % half-width.
    """
    starts, accuracies = [], []
    later: list[tuple[float, str]] = []
    for name, comparison in comparisons.items():
        experiment = load_experiment(name)
        if experiment.variant == "as described":  # what was run is another network
            continue
        for check in comparison["checks"]:
            ours, his = check["batch_loss"], check.get("batch_loss_author")
            if his is not None and check["iteration"] == 0:
                starts.append(abs(ours - his))
            elif his is not None:
                later.append((100 * (ours / his - 1), experiment.label))
            if check["iteration"] and check.get("val_accuracy_pct_author") is not None:
                pair = check["val_accuracy_pct"], check["val_accuracy_pct_author"]
                accuracies.append(abs(pair[0] - pair[1]) <= resolution(*pair))
    if not starts:
        return "No check of ours has a counterpart in the author’s logs here."
    words = (
        f"First batch: the losses of {len(starts)} networks differ from the logs by {max(starts):.2f} at most, "
        f"by {float(np.median(starts)):.2f} in the middle."
    )
    if later:
        middle = float(np.median([abs(off) for off, _ in later]))
        worst, network = max(later, key=lambda pair: abs(pair[0]))
        words += (
            f" At the {len(later)} later checks, our batch loss is {middle:.0f} % off the author’s in the middle, and "
            f"{signed(worst, 0)} % at most ({network})."
        )
    if accuracies:
        words += (
            f" {sum(accuracies)} of {len(accuracies)} later val accuracies agree within the noise of twice 250 "
            "episodes."
        )
    return words


def kept_table(comparisons: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Earlier comparisons as text: a line a check, ours and the author's, with what it was trained on."""
    lines = []
    for name, comparison in comparisons.items():
        for check in comparison["checks"]:
            lines.append(
                {
                    "experiment": load_experiment(name).label,
                    "iteration": check["iteration"],
                    "batch loss": number(check["batch_loss"], 2),
                    "author’s": number(check.get("batch_loss_author"), 2),
                    "val in %": number(check["val_accuracy_pct"]),
                    "author’s val": number(check.get("val_accuracy_pct_author")),
                    "seed": comparison["seed"],
                    "trained with": device_words(comparison["provenance"]),
                }
            )
    return pd.DataFrame(lines)


def _origin(path: Path, run_id: str, iterations: int) -> dict[str, Any] | None:
    """The provenance of an earlier comparison of the same run and length, or None."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = earlier["run_id"] == run_id and earlier["checks"][-1]["iteration"] >= iterations
    return earlier["provenance"] if same else None


def read_author_log(path: Path, run: str) -> pd.DataFrame:
    """One run of the author's logs: iteration, batch_loss, and accuracies in %."""
    try:
        log = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the author's logs cannot be read from {path} ({error}): give the path of a CSV file."
        ) from error
    if missing := [column for column in LOG_COLUMNS if column not in log.columns]:
        raise DataError(
            f"{path} has no column {', '.join(missing)}: it is not the author's logs as one table."
        )
    return log[log["model"] == run].drop(columns="model").reset_index(drop=True)


def side_by_side(ours: pd.DataFrame, author: pd.DataFrame | None) -> pd.DataFrame:
    """One line a check: our loss and accuracies in %, and the author's at the same iteration where there are any."""
    table = pd.DataFrame(
        {
            "iteration": ours["iteration"],
            "batch_loss": ours["batch_loss"].round(4),
            "train_accuracy_pct": (100 * ours["train_accuracy"]).round(1),
            "val_accuracy_pct": (100 * ours["val_accuracy"]).round(1),
        }
    )
    if author is None:
        return table
    return table.merge(author, on="iteration", how="left", suffixes=("", "_author"))


def _draw(ours: pd.DataFrame, author: pd.DataFrame | None, seed: int, origin: dict[str, Any], label: str):
    """Loss and val accuracy over iterations, ours and the author's, with 95 % intervals of 250 episodes."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(ours["iteration"], ours["batch_loss"], "o-", color="#0b5394", label="this companion")
    percent = 100 * ours[["val_accuracy", "val_low", "val_high"]]
    bars = [percent["val_accuracy"] - percent["val_low"], percent["val_high"] - percent["val_accuracy"]]
    accuracy.errorbar(
        ours["iteration"] - 4,
        percent["val_accuracy"],
        bars,
        fmt="o-",
        color="#0b5394",
        capsize=3,
        label="this companion",
    )
    if author is not None:
        author = author[author["iteration"] <= ours["iteration"].max()]
        episodes = load_profile("paper").check_episodes
        scores = [wilson(round(value / 100 * episodes), episodes) for value in author["val_accuracy_pct"]]
        reach = [
            [100 * (score.accuracy - score.low) for score in scores],
            [100 * (score.high - score.accuracy) for score in scores],
        ]
        loss.plot(
            author["iteration"],
            author["batch_loss"],
            "s--",
            color="#b45f06",
            label="the author's log",
        )
        accuracy.errorbar(
            author["iteration"] + 4, author["val_accuracy_pct"], reach,
            fmt="s--", color="#b45f06", capsize=3, label="the author's log",
        )  # fmt: skip
    loss.set(xlabel="iteration", ylabel="batch loss, L2 penalty included", ylim=(0, None))
    accuracy.axhline(5, color="0.5", lw=1, ls=":")
    accuracy.annotate(
        "chance", (ours["iteration"].max(), 5), ha="right", va="bottom", color="0.4", fontsize=9
    )
    accuracy.set(xlabel="iteration", ylabel="val accuracy, 1-shot 20-way (%)", ylim=(0, 60))
    for axes in (loss, accuracy):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper right" if axes is loss else "upper left")
    figure.supxlabel(
        f"profile paper, {origin['backend']} on {origin['device']}, commit {(origin['commit'] or 'unknown')[:10]}; "
        "bars: 95 % intervals of 250 episodes",
        fontsize=8,
        color="0.4",
    )
    figure.suptitle(
        f"{label} at the full protocol: Omniglot 105×105, 128 pairs an iteration, seed {seed}", fontsize=11
    )
    return figure
