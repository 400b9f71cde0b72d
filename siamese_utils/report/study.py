"""What one notebook works on: open it, run what is missing, show figures and tables with their origin.

A figure is shown with a description for those who do not see it, and with its origin underneath: profile,
dataset, seeds, runs and commit. Progress is one line that changes in place: an executed notebook stays small.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from IPython.display import HTML, DisplayHandle, display
from markupsafe import Markup, escape

from ..config import Experiment, Profile, load_experiment, load_matrix, section_experiments, with_seeds
from ..data.dataset import Dataset
from ..data.load import load_dataset
from ..errors import ParamsError
from ..evidence.board import Board
from ..schema import name_list
from ..text import how_many
from ..training.runs import Run, find_run, find_so_far
from ..training.store import Job, Progress, complete, jobs_of
from .conclusions import conclusion, full_length
from .live import SHOWN_WIDTH, LiveCurves, show_errors_as_sentences
from .origin import origin, so_far_words
from .rendering import piece
from .scoreboard import claims_html
from .table1 import readable, table1_html, verdict_counts_html
from .tables import prediction_table

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Study:
    """The profile with the chosen seeds, and the chosen experiments; what a notebook calls."""

    profile: Profile
    experiments: tuple[Experiment, ...]

    @property
    def seed(self) -> int:
        """The first seed: also that of whatever a figure samples."""
        return self.profile.seeds[0]

    @cached_property
    def dataset(self) -> Dataset:
        """The profile's dataset, loaded when first asked for."""
        return load_dataset(self.profile)

    @cached_property
    def board(self) -> Board:
        """The verdicts of the profile's runs, worked out when first asked for: after what is missing has run."""
        return Board(self.profile)

    def run_missing(self) -> list[Run]:
        """Return the study's runs, experiment by experiment and seed by seed; those not on disk are trained now.

        Where nothing may be trained: what is there, runs under way too.
        """
        if training_allowed():
            return self.complete(self._jobs(self.experiments, self.profile.seeds))
        wanted = [(experiment, seed) for experiment in self.experiments for seed in self.profile.seeds]
        runs = [run for experiment, seed in wanted if (run := find_so_far(experiment, self.profile, seed))]
        show_line(so_far_words(runs, len(wanted)))
        return runs

    def complete(self, jobs: Sequence[Job]) -> list[Run]:
        """Return the runs of the jobs, with one line of progress that is replaced at every check.

        Where somebody looks on, the curves of the training stand under it, until it is done.

        Where nothing may be trained, only those that are there.
        """
        begun, line, curves = time.perf_counter(), DisplayHandle(), LiveCurves()
        missing = sum(job.find() is None for job in jobs)
        loaded = f"{len(jobs) - missing} of {how_many(len(jobs), 'run')} loaded from disk"
        line.display(HTML(piece("progress", f"{loaded}{', nothing to train' if not missing else ''}.")))
        if not training_allowed():
            return [run for job in jobs if (run := job.find())]

        def tell(number: int, count: int, progress: Progress) -> None:
            words = piece("progress", f"Training run {number} of {count}: {progress}")
            line.update(HTML(words + curves.after(progress)))

        runs = complete(jobs, tell)
        if missing:
            words = f"{loaded}, {missing} trained in {time.perf_counter() - begun:.0f} s."
            line.update(HTML(piece("progress", words)))
        return runs

    def trained_model(self, name: str = "baseline") -> tuple[keras.Model, str]:
        """Return an experiment's model under the first seed, and words that say what it is.

        It is trained now if its weights are not on disk, be its results there or not. Where nothing may be trained, it
        is the network as far as it is trained here, which may be not at all, and the words say so.
        """
        experiment = load_experiment(name)
        find = find_run if training_allowed() else find_so_far
        run = find(experiment, self.profile, self.seed)
        if run is None or run.weights is None:
            if not training_allowed():
                from ..models.siamese import build_model

                words = f"{experiment.label}, untrained: no weights are here, and nothing is trained for this page"
                return build_model(experiment, self.profile, self.seed), words
            (run,) = self.complete(self._jobs([experiment], [self.seed], weights=True))
        return run.model(), f"{experiment.label}, trained for {run.metrics['iterations']:,} iterations"

    def _jobs(self, experiments: Iterable[Experiment], seeds: Iterable[int], *, weights: bool = False) -> list[Job]:
        return jobs_of(
            experiments, self.profile, seeds, dataset=lambda: self.dataset, weights=weights, notify=show_line
        )

    # ---- showing ---------------------------------------------------------------------------------

    def show_figure(
        self, figure: Figure, *, alt: str, caption: str = "", runs: Iterable[Run] = (), source: str = ""
    ) -> None:
        """Show a figure with its description, and under it the caption and where the figure comes from.

        alt     what the figure shows, for those who cannot see it
        runs    the runs that it is made from; none where it shows data alone
        source  where it comes from, in words, if from no run of the profile
        """
        from .plots.style import notes_of, to_png

        if not alt.strip():
            raise ParamsError("a figure needs a description: give alt= what it shows.")
        png = b64encode(to_png(figure)).decode()
        notes = notes_of(figure)
        about = {"alt": alt, "width": SHOWN_WIDTH, **({"notes": notes} if notes else {})}
        # nbconvert's default template drops the description of an image/png output, so there is HTML beside it
        display(
            {"text/html": str(piece("image", png, alt, SHOWN_WIDTH, notes)), "image/png": png, "text/plain": alt},
            raw=True,
            metadata={"image/png": about},
        )
        show_html(piece("figure_caption", caption, source or origin(self.profile, runs)))

    def show_table(self, frame: pd.DataFrame, *, caption: str, runs: Iterable[Run] = (), source: str = "") -> None:
        """Show a data frame as an HTML table whose caption ends with where it comes from; see `show_figure`."""
        classes = ["plain"]
        for number in range(2, frame.shape[1] + 1):
            # the report's style sheet sets columns of sentences or names apart from figures
            written = "".join(value for value in frame.iloc[:, number - 1] if isinstance(value, str))
            if sum(map(str.isalpha, written)) > len(written) / 2:
                classes.append(f"text-{number}")
        # a cell of `Markup`, a link, stays as it is
        cells = frame.map(_escaped).rename(columns=escape)
        table = cells.to_html(index=False, border=0, na_rep="–", classes=classes, justify="left", escape=False)
        show_html(piece("table", table, caption, source or origin(self.profile, runs)))

    def show_text(self, words: str) -> None:
        """Show a sentence or two."""
        show_html(piece("text", words))

    def show_finding(self, words: str = "") -> None:
        """Show the notebook's finding; called without words on top, it leaves a place that the last call fills, too.

        words  HTML: sentences computed from the runs, see `conclusion`
        """
        on_top = HTML(piece("finding", Markup(words), True))
        if words:
            self._place_on_top.update(on_top)
            show_html(piece("finding", Markup(words), False))
        else:
            self._place_on_top.display(on_top)

    @cached_property
    def _place_on_top(self) -> DisplayHandle:
        return DisplayHandle()

    def conclusion(self) -> str:
        """Say how the study's networks stand to the baseline here and in the paper: HTML, computed from the runs."""
        return conclusion(self.board, self.experiments)

    def show_full_length(self) -> None:
        """Show why the differences may be others at the paper's full length: the author's log where our runs stop."""
        show_html(full_length(self.board, self.experiments))

    def show_prediction(self, mine: Mapping[str, float | None]) -> None:
        """Score a prediction made before the runs: experiment → points of val accuracy above (+) or below the baseline.

        Raises ParamsError for the name of an experiment that does not exist, or a prediction that is no number.
        """
        for name, guess in mine.items():
            if guess is not None and (isinstance(guess, bool) or not isinstance(guess, int | float) or guess - guess):
                raise ParamsError(f"a prediction is a number of points, or None for none, not {guess!r} ({name}).")
        rows = self.board.rows_of([load_experiment(name) for name in mine])
        table, score = prediction_table(rows, list(mine.values()))
        runs = [run for e in self.experiments for s in self.profile.seeds if (run := find_run(e, self.profile, s))]
        self.show_table(table, caption=f"Points of val accuracy against the baseline. {score}", runs=runs)

    def show_rows(self, *, runs: Iterable[Run] = ()) -> None:
        """Show the study's rows of Table 1: the paper's figures beside ours."""
        caption = (
            "Final accuracy in %, 1-shot 20-way; author's protocol unless it says strict. In brackets 95 % intervals: "
            "of the episodes, and for a difference of episodes and seeds."
        )
        self.show_table(readable(self.board.rows_of(self.experiments)), caption=caption, runs=runs)

    def show_claims(self, notebook: str = "") -> None:
        """Show the claims of a notebook, by its name ("05_learning_rate"), with their verdicts; all without a name."""
        show_html(claims_html(self.board, notebook))

    def show_table1(self) -> None:
        """Show the whole Table 1, the paper beside ours, each row with its verdict."""
        show_html(table1_html(self.board))

    def show_verdict_counts(self) -> None:
        """Show how many rows of Table 1 got which verdict."""
        show_html(verdict_counts_html(self.board))


def open_study(
    name: str, profile: str | Path | Profile, seeds: int | Iterable[int] = (), experiments: str | Iterable[str] = ()
) -> Study:
    """Check a notebook's parameters, say what it works on, and warn where that is not the paper's protocol.

    name         a section of the experiment matrix ("embedding", …), or "all"
    profile      a profile's name, or the path of its file
    seeds        one or several; [] for the profile's own
    experiments  one or several; [] for the section's own, the baseline first

    Raises ParamsError for a name that does not exist, with those that do.

    >>> study = open_study("mlp", "demo")
    <IPython.core.display.HTML object>
    >>> [experiment.name for experiment in study.experiments]
    ['baseline', 'mlp']
    """
    show_errors_as_sentences()
    from ..backend import keras  # noqa: F401  a notebook's own `import keras` says nothing after this one

    chosen = with_seeds(profile, seeds)
    named = name_list("experiments", experiments, Experiment)
    own = load_matrix().experiments if name == "all" else section_experiments(name)
    study = Study(chosen, tuple(load_experiment(e) for e in named) or tuple(own))
    show_html(piece("about", chosen))
    return study


def _escaped(cell: object) -> object:
    """Make a cell safe in HTML: numbers stay for pandas to word, and links (Markup) as they are."""
    return cell if isinstance(cell, Number) else escape(cell)


def show_html(content: str) -> None:
    """Show ready-made HTML."""
    display(HTML(content))


def show_line(words: str) -> None:
    """Show a line of plain words."""
    show_html(piece("progress", words))


def training_allowed() -> bool:
    """Say whether what is not on disk may be trained now: not where SIAMESE_NO_TRAINING is set, by `--no-training`."""
    return not os.environ.get("SIAMESE_NO_TRAINING")
