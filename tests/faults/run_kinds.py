"""Runs on disk come to harm: finished, under way, complete but for their name."""

import shutil

from .damage import damage
from .oracle import is_kept, show, tree, without

FINISHED = ("config.json", "history.csv", "metrics.json", "answers.npz", "SHA256SUMS", "model.keras")
UNDER_WAY = ("config.json", "history.csv", "checkpoints.json", "checkpoint-2.keras", "checkpoint-4.keras")


def _damaged(case, folder, name):
    """A file that something has happened to, and what; another run's may take its place."""
    twin = case.results / case.world.folder_of("mlp") / name
    for _ in range(10):
        if done := damage(case.rng, folder / name, twin):
            case.about = done
            return
    raise RuntimeError(f"{name} withstood ten damages")


def finished_file(case):
    """A file of a finished run: verify names the run, no table shows it, nothing is removed; restored, it is back."""
    case.bring("finished")
    run = case.world.folder_of("baseline")
    folder, name = case.results / run, FINISHED[case.number % len(FINISHED)]
    whole = case.world.states["finished"] / "faults" / "results" / run
    _damaged(case, folder, name)
    if name == "model.keras" and not (folder / name).is_file():
        return _without_weights(case, folder)
    before = tree(case.reports)
    found = case.ended(case.siamese("verify", "-p", case.world.profile), 0, 1)
    # a line's end as another system writes it changes no sum
    harmless = name == "SHA256SUMS" and found.code == 0
    if not harmless:
        case.expect(found.code == 1, "verify finds nothing")
        case.names(found, run)
    shown = case.ended(case.siamese(do=show(case.world)), 0)
    whole_table, without_it = (without(case.world.table, hidden) for hidden in (None, run))
    # the checksum of the model alone may be gone
    allowed = {"model.keras": (whole_table,), "SHA256SUMS": (whole_table, without_it)}.get(name, (without_it,))
    case.expect(without(shown.out, None) in allowed, f"another table: {shown.said[-300:]}")
    if case.rng.random() < 0.5:
        case.ended(case.siamese("status", "-p", case.world.profile), 0)
    else:
        case.ended(case.siamese(do=load_model(case.world)), 0 if harmless else 2)
    case.expect(tree(case.reports) == before, "something was removed or changed")
    restore(folder, whole, name)
    case.ended(case.siamese("verify", "-p", case.world.profile), 0)


def _without_weights(case, folder):
    """Results without weights are results; the weights are trained anew where they are wanted."""
    case.ended(case.siamese("verify", "-p", case.world.profile), 0)
    case.expect(case.siamese(do=show(case.world)).out == case.world.table, "another table")
    in_the_way = (folder / "model.keras").is_dir()
    case.ended(case.siamese(do=load_model(case.world)), 2 if in_the_way else 0)
    if not in_the_way:
        case.is_reference()


def load_model(world):
    def do():
        from siamese_utils.training.loop import load_or_train

        load_or_train("baseline", world.profile, weights=True).model()

    return do


def restore(folder, whole, name):
    path = folder / name
    if not folder.exists():
        return
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    shutil.copyfile(whole / name, path)


def under_way_file(case):
    """A file of a run under way: it goes on from an intact check, or says that it cannot, and removes nothing."""
    _resumed(case, "under way", UNDER_WAY)


def complete_file(case):
    """A file of a run that was killed before it had its name."""
    _resumed(case, "complete", (*FINISHED, "checkpoint-6.keras", "checkpoint-8.keras", "checkpoints.json"))


def _resumed(case, state, names):
    case.bring(state)
    run = f"{case.world.folder_of('baseline')}.partial"
    folder, name = case.results / run, names[case.number % len(names)]
    _damaged(case, folder, name)
    before = tree(folder)
    ended = case.ended(case.siamese("run", "baseline", "-p", case.world.profile), 0, 2)
    if ended.code == 0:
        return case.is_reference(), case.count_lost()
    case.names(ended, folder, run)
    case.expect(is_kept(before, tree(folder)), "something was removed or changed")
    shown = case.siamese(do=show(case.world))
    case.expect(without(shown.out, None) == without(case.world.table, case.world.folder_of("baseline")), "in a table")
    restore(folder, case.world.states[state] / folder.relative_to(case.reports), name)
    case.finishes()


KINDS = {finished_file: 150, under_way_file: 100, complete_file: 60}
