"""The curves of trainings over their iterations: accuracy, loss, weights and saturated units; learning rates."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ...config import PAPER_ITERATIONS, Experiment, LearningRate, Profile
from ...evidence.author_logs import comparable_log
from ...text import how_many
from ...training.runs import Run
from ...training.store import Progress
from . import style
from .style import BLUE, DOTTED, GREY, INK, ORANGE, Look, styled

# an experiment's name → its runs
Groups = dict[str, list[Run]]
# so many checks are marked, each
MARKED = 15
AUTHOR: Look = {"color": GREY, "linewidth": 1.3}
STOP: Look = {"color": INK, "linewidth": 0.8, "linestyle": (0, (4, 2))}
PAPER: Look = {"color": INK, "marker": "<", "markersize": 6, "linestyle": ""}
BEHIND: Look = {"color": BLUE, "marker": "x", "markersize": 5, "linestyle": ""}


@styled
def learning_curves(runs: Iterable[Run]) -> Figure:
    """Draw the accuracy at every check in %, a panel an experiment, all with the same axes.

    Val has a thin line a seed and a bold one for the mean of those that have come furthest, train that mean alone. The
    author's whole logged curve stands beside them where an iteration is the same there and here, else the paper's
    Table 1 at the right margin.
    """
    groups = _by_experiment(runs)
    if not groups:
        return style.empty_figure()
    logs = {name: _author_log(group[0]) for name, group in groups.items()}
    figure, axes = _panels(groups, logs, "accuracy, %")
    several = max(map(len, groups.values())) > 1
    train: Look = {"color": ORANGE, "linewidth": 1.1, "linestyle": "--"}
    entries: dict[str, Look] = {"val, each seed" if several else "val": _val_look(several, True)}
    if several:
        entries["val, mean"] = {"color": BLUE, "linewidth": 2.4}
    entries["train, mean" if several else "train"] = train
    highest = [0.0]
    for ax, group, log in zip(axes, groups.values(), logs.values(), strict=True):
        experiment, curve = group[0].experiment, _mean_curve(group)
        highest += [*curve["train_accuracy"], *log["val_accuracy"]]
        ax.plot(log["iteration"], 100 * log["val_accuracy"], **AUTHOR)
        ax.plot(curve.index, 100 * curve["train_accuracy"], **train)
        ahead = _furthest(group)
        for run in group:
            checks = run.history
            highest += list(checks["val_accuracy"])
            look = _val_look(len(group) > 1, len(checks) <= MARKED)
            ax.plot(checks["iteration"], 100 * checks["val_accuracy"], clip_on=False, **look)
            if run not in ahead:
                ax.plot(checks["iteration"].iloc[-1:], 100 * checks["val_accuracy"].iloc[-1:], clip_on=False, **BEHIND)
                entries["val, a seed that has come so far"] = BEHIND
            columns = (checks[name] for name in ("iteration", "val_accuracy", "val_low", "val_high"))
            for iteration, val, low, high in zip(*columns, strict=True):
                words = f"val {100 * val:.1f} % ({100 * low:.1f}–{100 * high:.1f}), seed {run.seed}, run {run.run_id}"
                style.note(ax, iteration, 100 * val, f"{experiment.label}, iteration {iteration:,}: {words}")
        if len(group) > 1:
            ax.plot(curve.index, 100 * curve["val_accuracy"], color=BLUE, linewidth=2.4)
        style.chance_line(ax)
        if len(log):
            entries["val, author's log"] = AUTHOR
        elif experiment.paper:
            entries["val, Table 1"] = PAPER
            highest.append(experiment.paper.val / 100)
            # a triangle at the right margin points at it
            place: Look = {"transform": ax.get_yaxis_transform()}
            ax.plot([1.015], [experiment.paper.val], clip_on=False, **place, **PAPER)
            words = f"paper\n{experiment.paper.val:g}"
            ax.text(1.035, experiment.paper.val, words, va="center", fontsize=7.5, linespacing=1.1, **place)
    axes[0].set_ylim(0, min(100, 20 * np.ceil(5 * max(highest) - 1e-9)))
    style.legend(figure, {**entries, style.GUESSING: DOTTED})
    return figure


@styled
def loss_curves(runs: Iterable[Run]) -> Figure:
    """Draw the training loss, mean of the seeds that have come furthest; a panel an experiment, all with the same axes.

    The first loss is that of the very first batch, before any update. The author's log of batch losses stands beside
    ours where an iteration is the same and the images have the paper's size, on which the penalty depends.
    """
    groups = _by_experiment(runs)
    if not groups:
        return style.empty_figure()
    logs = {name: _author_log(group[0], image_size=105) for name, group in groups.items()}
    figure, axes = _panels(groups, logs, "loss with penalties")
    mean: Look = {"color": BLUE, "marker": "o", "markersize": 3.5}
    batch: Look = {"color": ORANGE, "linestyle": "--", "linewidth": 1.1}
    entries = {"mean since the last check": mean, "the check's own batch": batch}
    for ax, group, log in zip(axes, groups.values(), logs.values(), strict=True):
        experiment, curve = group[0].experiment, _mean_curve(group)
        if log["batch_loss"].any():
            ax.plot(log["iteration"], log["batch_loss"], **AUTHOR)
            entries["batch, author's log"] = AUTHOR
        ax.plot(curve.index, curve["batch_loss"], clip_on=False, **batch)
        marks = {**mean, "marker": "o" if len(curve) <= MARKED else ""}
        ax.plot(curve.index, curve["mean_loss"], clip_on=False, **marks)
        seeds = _seeds(_furthest(group))
        for iteration, loss, own in zip(curve.index, curve["mean_loss"], curve["batch_loss"], strict=True):
            words = f"mean loss {loss:.3f}, batch loss {own:.3f}, {seeds}"
            style.note(ax, iteration, loss, f"{experiment.label}, iteration {iteration:,}: {words}")
        words = f"first loss {np.mean([run.metrics['first_batch_loss'] for run in group]):.3f}"
        if group[0].image_size == 105 and experiment.author and experiment.author.first_loss:
            words += f", author's {experiment.author.first_loss:.3f}"
        ax.text(0.97, 0.84, words, transform=ax.transAxes, ha="right", va="top", fontsize=8)
    axes[0].set_yscale("log")
    # a loss may never move
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low * 0.9, high * max(high / low, 1.5) ** 0.22)
    _plain_log_ticks(axes[0])
    style.legend(figure, entries)
    return figure


@styled
def weight_curves(runs: Iterable[Run]) -> Figure:
    """Draw the length of the kernel weights, and the part of saturated embedding units; a line an experiment.

    Mean of the seeds that have come furthest. Runs that did not record them are left out.
    """
    groups = _by_experiment(run for run in runs if {"kernel_norm", "saturated"} <= set(run.history))
    if not groups:
        return style.empty_figure("no run here recorded it: older runs did not", 1.1)
    height = max(3.4, 1 + 0.15 * len(groups))
    figure = style.new_figure(height)
    axes = figure.subplots(1, 2)
    curves = {name: _mean_curve(group) for name, group in groups.items()}
    end = max(int(curve.index.max()) for curve in curves.values())
    for ax, column, scale, title in (
        (axes[0], "kernel_norm", 1, "length of the kernel weights"),
        (axes[1], "saturated", 100, "saturated embedding units, %"),
    ):
        style.square_root_axis(ax, end, 0.2)
        ax.set(title=title, xlabel="iteration (square-root axis)")
        ends, words = [], title.removesuffix(", %")
        for number, (name, curve) in enumerate(curves.items()):
            label, unit = groups[name][0].experiment.label, " %" if scale == 100 else ""
            values, every = scale * curve[column], None if len(curve) <= MARKED else 0.2
            look = style.look_of(number)
            ax.plot(curve.index, values, markersize=4, markevery=every, clip_on=False, **look)
            ends.append((float(curve.index[-1]), float(values.iloc[-1]), label.replace("(as ", "(")))
            seeds = _seeds(_furthest(groups[name]))
            for iteration, value in zip(curve.index, values, strict=True):
                told = f"{words} {value:.3g}{unit}, {seeds}"
                style.note(ax, iteration, value, f"{label}, iteration {iteration:,}: {told}")
        if scale == 100:
            ax.set_ylim(0, 100)
        elif lengths := [x for curve in curves.values() for x in curve[column] if 0 < x < np.inf]:
            ax.set_yscale("log", nonpositive="mask")
            ax.set_ylim(min(lengths) / 1.2, max(lengths) * 1.2)
            _plain_log_ticks(ax)
            # no weight but zeros: a label at the lower edge says so
            ends = [(x, ax.get_ylim()[0], f"{w}: 0") if y == 0 else (x, y, w) for x, y, w in ends]
        style.end_labels(ax, [end for end in ends if np.isfinite(end[1])], height - 0.9, 7.5)
    return figure


@styled
def learning_rates(experiments: Iterable[Experiment], profile: Profile) -> Figure:
    """Draw Adam's learning rate over the iterations; experiments with the same schedule share a line."""
    by_rate: dict[LearningRate, list[str]] = {}
    for experiment in experiments:
        by_rate.setdefault(experiment.recipe.learning_rate, []).append(experiment.short_label)
    height = 3.6
    figure = style.new_figure(height)
    ax = figure.subplots()
    iterations, ends = np.arange(profile.iterations + 1), []
    for number, (rate, labels) in enumerate(by_rate.items()):
        values = np.full(len(iterations), rate.initial)
        if rate.decay_steps and rate.decay_rate:
            values *= rate.decay_rate ** (iterations / profile.decay_steps(rate.decay_steps))
        ax.plot(iterations, values, markevery=0.25, markersize=5, **style.look_of(number))
        ends.append((iterations[-1], values[-1], " / ".join(dict.fromkeys(labels))))
    ax.set(yscale="log", xlabel="iteration", ylabel="learning rate (logarithmic)", xlim=(0, iterations[-1]))
    style.end_labels(ax, ends, height - 0.6, 8.5)
    return figure


@styled
def curves_so_far(trainings: Sequence[Sequence[Progress]]) -> Figure:
    """Draw the loss, and where there are checks val accuracy in %, of runs in training; the last one's in colour.

    trainings  what each run has told, one after the other
    """
    figure, latest = style.new_figure(2.6), trainings[-1][-1]
    checked = latest.accuracy is not None
    axes = figure.subplots(1, 1 + checked, squeeze=False)[0]
    for told in trainings:
        marks: Look = {"marker": "o" if len(told) <= MARKED else "", "markersize": 3.5, "clip_on": False}
        own: Look = {"color": BLUE, **marks} if told is trainings[-1] else {"color": GREY, "linewidth": 0.9}
        axes[0].plot([now.step for now in told], [now.loss for now in told], **own)
        if checked:
            axes[1].plot([now.step for now in told], [100 * (now.accuracy or 0) for now in told], **own)
    for ax in axes:
        ax.set(xlabel="step", xlim=(0, latest.steps))
    axes[0].set_ylabel("loss")
    lowest = min(now.loss for told in trainings for now in told)
    # one point alone would get a scale of its own; a loss that is no number leaves the axis as it is
    if lowest >= 0:
        axes[0].set_ylim(bottom=0)
    if checked:
        axes[1].set_ylabel("val accuracy, %")
        axes[1].set_ylim(bottom=0)
        style.chance_line(axes[1])
    earlier = "; grey: earlier runs" if len(trainings) > 1 else ""
    chance = "; dotted: chance" if checked else ""
    figure.suptitle(f"{latest.name}, seed {latest.seed}{earlier}{chance}", fontsize=9.5)
    return figure


# ---- shared by several ---------------------------------------------------------------------------


def _by_experiment(runs: Iterable[Run]) -> Groups:
    """Group runs by their experiment's name, in the order in which they come."""
    groups: Groups = {}
    for run in runs:
        groups.setdefault(run.config["experiment"], []).append(run)
    return groups


def _furthest(group: list[Run]) -> list[Run]:
    """List those of an experiment's runs that have made the most updates."""
    last = [int(run.history["iteration"].max()) for run in group]
    return [run for run, end in zip(group, last, strict=True) if end == max(last)]


def _mean_curve(group: list[Run]) -> pd.DataFrame:
    """Average the history, by iteration, over the seeds that have come furthest."""
    return pd.concat([run.history for run in _furthest(group)]).groupby("iteration").mean(numeric_only=True)


def _author_log(run: Run, image_size: int | None = None) -> pd.DataFrame:
    """Read the author's log of a run's network; no line where its iterations or images are not comparable to ours.

    image_size  pixels a side, if that matters
    """
    profile, log = run.config["profile"], comparable_log(run.experiment)
    unscaled = profile["iterations"] == PAPER_ITERATIONS or profile.get("decay") == "cut"
    same = profile["dataset"] == "omniglot" and unscaled and image_size in (None, run.image_size)
    return log if same else log.iloc[:0]


def _panels(groups: Groups, logs: dict[str, pd.DataFrame], ylabel: str) -> tuple[Figure, list[Axes]]:
    """Make one wide panel, or two columns of them, with shared axes; a line where ours stop before the author's log."""
    columns = min(len(groups), 2)
    lines = -(-len(groups) // columns)
    figure = style.new_figure(3.9 if columns == 1 else 0.9 + 1.9 * lines)
    axes = list(figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).flat)
    for ax in axes[len(groups) :]:
        ax.remove()
    axes = axes[: len(groups)]
    for ax in axes[::columns]:
        ax.set_ylabel(ylabel)
    for ax in axes[-columns:]:
        ax.tick_params(labelbottom=True)
    for ax in axes[columns * (lines - 1) :]:
        ax.set_xlabel("iteration (square-root axis)")
    stops = [max(int(run.history["iteration"].max()) for run in group) for group in groups.values()]
    style.square_root_axis(axes[0], max([1, *stops, *(int(i) for log in logs.values() for i in log["iteration"])]))
    for ax, group, log, stop in zip(axes, groups.values(), logs.values(), stops, strict=True):
        ax.set_title(group[0].experiment.label)
        if len(log) and stop < log["iteration"].max():
            ax.axvline(stop, **STOP)
            left = stop > 0.4 * ax.get_xlim()[1]
            place: Look = {"textcoords": "offset points", "va": "top", "ha": "right" if left else "left"}
            at: Look = {"xycoords": ("data", "axes fraction"), "xytext": (-3 if left else 3, 0)}
            ax.annotate(f"ours stop at {stop:,}", (stop, 0.97), fontsize=7.5, **at, **place)
    return figure, axes


def _val_look(one_of_several: bool, marked: bool) -> Look:
    faint: Look = {"linewidth": 0.9, "alpha": 0.55} if one_of_several else {"linewidth": 1.8}
    return {"color": BLUE, "marker": "o" if marked else "", "markersize": 3 if one_of_several else 4, **faint}


def _seeds(group: list[Run]) -> str:
    """Name the seeds of a curve: "seed 0", "mean of 3 seeds"."""
    return f"seed {group[0].seed}" if len(group) == 1 else f"mean of {how_many(len(group), 'seed')}"


def _plain_log_ticks(ax: Axes) -> None:
    """Write 1, 2, 5, 10 … instead of powers of ten where an axis spans less than two decades."""
    low, high = ax.get_ylim()
    subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 6 else (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
