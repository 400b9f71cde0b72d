"""What the notebook beyond the paper calls: train what is missing, load a trained model, say what was found."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..config import Profile
from ..data.dataset import Dataset
from ..evidence.factorial import load_factorial
from ..report.rendering import render_html
from ..report.study import Study, show_line
from ..schema import name_list
from ..training.runs import Run
from ..training.store import Job, Notify, OnProgress
from .config import Method, load_method
from .published import figures_of, runs_by_method
from .runs import HeldOut, find_method_run, find_run_on

if TYPE_CHECKING:
    import keras

# the paper's loss
REFERENCE = "loss-cross-entropy"


def run_missing(
    study: Study, methods: str | Method | Iterable[str | Method], held_out: HeldOut = "validation"
) -> list[Run]:
    """Load the methods' runs under the study's seeds; those not on disk are trained now, with a line of progress."""
    profile, named = study.profile, [load_method(name) for name in name_list("methods", methods, Method)]
    return study.complete(method_jobs(named, profile, profile.seeds, held_out=held_out, dataset=lambda: study.dataset))


def trained(study: Study, name: str | Method, held_out: HeldOut = "evaluation") -> tuple[keras.Model, Run | None]:
    """Load a method's model and run under the study's first seed; `held_out` as in `training.load_or_train`.

    Where the results came without weights, it is trained again for them, from the same seed. Where nothing may be
    trained, it is an untrained network without a run, and a line says so.
    """
    method = load_method(name)
    jobs = method_jobs(
        [method], study.profile, [study.seed],
        held_out=held_out, dataset=lambda: study.dataset, weights=True, notify=show_line,
    )  # fmt: skip
    if runs := study.complete(jobs):
        return runs[0].model(), runs[0]
    show_line("This network is untrained: no weights are here, and nothing is trained for this page.")
    from .networks import build_siamese, build_trainer

    train, size = study.dataset.train, method.sized(study.profile).image_size
    trainer = build_trainer(method, (size, size, 1), train.classes * method.forms, 1, study.seed)
    return build_siamese(method, trainer), None


def conclusion(
    study: Study, *, losses: pd.DataFrame, effects: pd.DataFrame, recipe: pd.DataFrame, finals: Sequence[Run]
) -> str:
    """Say which loss learned most, which details mattered, and how far the recipes came: HTML, from the runs.

    losses, recipe  from `ranking.rank_methods`
    effects         from `evidence.factorial.effects`; no line where the factorial is not complete
    finals          runs scored on the evaluation alphabets
    """
    factors = {factor.name: factor for factor in load_factorial().factors}
    found = [
        {**line, "titles": [factors[name].title for name in line["factors"]], "first": factors[line["factors"][0]]}
        for line in effects.to_dict("records")
    ]
    groups = {load_method(name).title: group for name, group in runs_by_method(finals).items()}
    return render_html(
        "conclusions/beyond.html.j2",
        profile=study.profile,
        losses=losses.to_dict("records"),
        reference=REFERENCE,
        effects=found,
        parts=[line for line in recipe.to_dict("records") if line["difference"] == line["difference"]],
        finals={
            title: {p: figures_of(p, group) for p in ("strict", "within_alphabet")} for title, group in groups.items()
        },
    )


def method_jobs(
    methods: Iterable[Method],
    profile: Profile,
    seeds: Iterable[int],
    *,
    held_out: HeldOut = "validation",
    dataset: Callable[[], Dataset] | None = None,
    archive: str | None = None,
    weights: bool = False,
    notify: Notify = warnings.warn,
) -> list[Job]:
    """List the runs of methods under every seed, as `store.complete` takes them.

    dataset  loads the profile's dataset, called where one is trained; a method of its own image size loads its own
    archive  train and evaluate on this one of `archives.ARCHIVES` instead
    """
    methods = list(methods)
    for method in methods:
        method.check_fits(profile)

    def job(method: Method, seed: int) -> Job:
        def find() -> Run | None:
            if archive:
                run = find_run_on(archive, method, profile, seed)
            else:
                run = find_method_run(method, profile, seed, held_out)
            return run if run and (run.weights or not weights) else None

        def train(on_progress: OnProgress) -> Run:
            # only now: it takes Keras
            from .training import load_or_train

            data = dataset() if dataset and method.sized(profile) == profile else None
            return load_or_train(
                method, profile, seed, held_out=held_out, dataset=data, archive=archive,
                on_progress=on_progress, weights=weights, notify=notify,
            )  # fmt: skip

        return Job(method.title, seed, find, train)

    return [job(method, seed) for method in methods for seed in seeds]
