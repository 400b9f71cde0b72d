"""Our curves beside the author's: the statistic has power and keeps its peace, the words follow from it."""

from collections import Counter

import numpy as np
import pytest

from siamese_utils.config import load_experiment, load_profile
from siamese_utils.evaluation.accuracy import wilson
from siamese_utils.evidence import fidelity, likeness
from siamese_utils.evidence.author_logs import author_log, incomparable
from siamese_utils.evidence.estimates import PAPER_EPISODES
from siamese_utils.evidence.likeness import Replicates
from siamese_utils.evidence.standing import standing
from siamese_utils.files import write_json
from siamese_utils.report.plots.audit import curve_figure
from siamese_utils.training import loop as training
from siamese_utils.training.checkpoints import HISTORY_COLUMNS
from siamese_utils.training.runs import find_so_far, run_folder, under_way_dir

DRAWS = 20


def log_of(name):
    return author_log(load_experiment(name).author.run)


def another_run(log, seed, checks=50):
    """The author's curve with what another run of the recipe would change: a loss that scatters, accuracies that
    wander for a while and are counted in 250 episodes."""
    rng = np.random.default_rng(seed)
    log = log[log["iteration"] <= 100 * checks].reset_index(drop=True)
    factor = np.exp(rng.normal(0, 0.13, len(log)))
    factor[0] = 1
    made_up = log.assign(batch_loss=log["batch_loss"] * factor)
    for column in ("train_accuracy", "val_accuracy"):
        wander = np.zeros(len(log))
        for check in range(1, len(log)):
            wander[check] = 0.8 * wander[check - 1] + rng.normal(0, 0.6)
        p = log[column] + 0.04 * wander * (log[column] * (1 - log[column])) ** 0.5
        made_up[column] = rng.binomial(PAPER_EPISODES, p.clip(0.01, 0.99)) / PAPER_EPISODES
    return made_up


def verdicts(name, curves):
    experiment = load_experiment(name)
    replicates = fidelity.known_replicates(experiment)
    with pytest.MonkeyPatch.context() as once:
        once.setattr(fidelity, "known_replicates", lambda _: replicates)
        return Counter(fidelity.likeness(experiment, curve).verdict for curve in curves)


# ---- what is taken for granted -------------------------------------------------------------------


def test_our_checks_have_as_many_episodes_as_the_authors():
    assert load_profile("paper").check_episodes == PAPER_EPISODES


def test_a_window_is_longer_than_the_baselines_memory():
    """Neighbouring differences on train go together, those six checks apart do not."""
    (baselines, *_) = fidelity.known_replicates(load_experiment("baseline"))
    apart = baselines.apart[0]["train"].to_numpy()

    def together(lag):
        return float((apart[:-lag] * apart[lag:]).mean() / (apart**2).mean())

    assert together(1) > 0.5
    assert max(abs(together(lag)) for lag in range(6, likeness.WINDOW)) < 0.1


def test_the_spread_of_replicates_is_that_of_their_window_means():
    """Four made-up runs around one curve, 10 % apart at each check: the variance of a difference, and its dof."""
    rng = np.random.default_rng(0)
    log = log_of("baseline-10k")
    runs = [log.assign(batch_loss=log["batch_loss"] * np.exp(rng.normal(0, 0.1, len(log)))) for _ in range(4)]
    for length in (1, 10):
        variance, dof = likeness.spread([Replicates.of(runs)], "loss", length)
        # of a mean: variance / length
        assert variance == pytest.approx(2 * 0.1**2, rel=0.4)
        assert dof == 3 * 10
    assert likeness.spread([Replicates.of(runs)], "val", 10) == (1.0, 30), "never below binomial noise"
    alone = likeness.spread(fidelity.known_replicates(load_experiment("baseline"))[:1], "loss", 10)
    assert alone[1] == 5, "fifty checks of one pair"
    with pytest.raises(ValueError, match="no replicates"):
        likeness.spread([], "loss", 1)


def test_own_seeds_count_as_replicates(reports, monkeypatch):
    log = log_of("baseline")
    found = [(load_experiment("baseline"), seed, another_run(log, seed, 20)) for seed in range(3)]
    monkeypatch.setattr(fidelity, "histories", lambda *_: found)
    groups = fidelity.known_replicates(load_experiment("baseline"))
    assert [group.runs for group in groups] == [2, 3]
    assert likeness.spread(groups, "val", 10)[1] == 5 + 2 * 2


def test_how_far_seeds_come_apart_is_told_in_units_of_their_noise(reports, monkeypatch):
    """One row's seeds differ by chance alone, another's by 20 points besides; a row with one seed is left out."""
    log = log_of("baseline-10k").iloc[:41]
    rng = np.random.default_rng(0)

    def seed_of(name, seed, shift):
        counted = rng.binomial(PAPER_EPISODES, np.full(len(log), 0.4 + shift)) / PAPER_EPISODES
        return load_experiment(name), seed, log.assign(val_accuracy=counted)

    shifts = {"dense-512": (0, 0), "without-l2": (0, 0.2), "mlp": (0,)}
    found = [seed_of(name, seed, shift) for name, row in shifts.items() for seed, shift in enumerate(row)]
    small = [(load_experiment("mlp"), seed, history) for _, seed, history in found[2:4]]
    monkeypatch.setattr(fidelity, "histories", lambda profile: found if profile == "paper" else small)
    table = fidelity.seeds_apart().set_index("runs of one recipe")
    assert list(table.index) == ["the author’s baselines", "Dense - 512", "without L2 Regularization", "MLP"]
    assert list(table["checks"]) == ["50", "40", "40", "–"]
    assert list(table["laptop runs"]) == ["–", "–", "–", "2"]
    assert float(table["val, × noise"]["Dense - 512"]) < 1.5
    assert list(table["loss, factor"][1:]) == ["1.00", "1.00", "–"], "the losses are the log's own"
    sd = 100 * (2 * 0.5 * 0.5 / (10 * PAPER_EPISODES)) ** 0.5
    apart = float(table["val, × noise"]["without L2 Regularization"])
    assert apart == pytest.approx(20 / sd, rel=0.2)
    assert float(table["laptop val, × noise"]["MLP"]) == apart


# ---- the verdict ---------------------------------------------------------------------------------


@pytest.mark.parametrize("checks", [10, 50])
@pytest.mark.parametrize("name", ["baseline", "mlp", "without-l2", "without-batch-norm"])
def test_the_same_curve_with_noise_agrees_in_most_draws(name, checks, monkeypatch):
    """By the author's two baselines alone, whatever runs are on disk: seeds that lie far apart leave more open."""
    monkeypatch.setattr(fidelity, "histories", lambda _: [])
    found = verdicts(name, (another_run(log_of(name), seed, checks) for seed in range(DRAWS)))
    assert found["differs"] <= 0.1 * DRAWS
    assert found["agrees"] >= 0.8 * DRAWS


def test_the_authors_second_baseline_agrees_with_his_first():
    assert verdicts("baseline", [log_of("baseline-10k")]) == {"agrees": 1}


def test_a_penalty_that_melts_at_half_the_pace_differs():
    log = log_of("baseline")
    slow = np.exp(np.interp(log["iteration"] / 2, log["iteration"], np.log(log["batch_loss"])))
    curves = [another_run(log.assign(batch_loss=slow), seed, 10) for seed in range(DRAWS)]
    assert verdicts("baseline", curves)["differs"] >= 0.9 * DRAWS


def test_differences_of_both_signs_do_not_cancel():
    log = log_of("baseline")
    half = np.where(log["iteration"] <= 2500, 1.6, 1 / 1.6)
    crossing = log.assign(batch_loss=log["batch_loss"] * np.where(log["iteration"] == 0, 1, half))
    judged = fidelity.likeness(load_experiment("baseline"), crossing)
    assert judged.loss.low < 0 < judged.loss.high
    assert (judged.verdict, judged.why) == ("differs", "by its loss")


def test_a_network_that_learns_nothing_differs_without_a_logged_loss():
    log = log_of("without-batch-norm")
    chance = log.assign(train_accuracy=0.05, val_accuracy=0.05)
    assert verdicts("without-batch-norm", [chance]) == {"differs": 1}


def test_a_short_curve_is_too_short_and_a_foreign_first_loss_differs_at_once():
    log = log_of("mlp")
    assert verdicts("mlp", [another_run(log, seed, 2) for seed in range(5)]) == {"undecided": 5}
    first = log.head(1)
    judged = fidelity.likeness(load_experiment("mlp"), first.assign(batch_loss=first["batch_loss"] - 3.4))
    assert judged.verdict == "differs"
    assert judged.why.startswith("first loss −3.40")


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("name", ["baseline", "without-batch-norm"])
def test_a_curve_that_stops_being_numbers_differs_and_says_where(name, broken):
    experiment = load_experiment(name)
    ours = author_log(experiment.author.run).fillna({"batch_loss": 1.0})
    ours.loc[ours["iteration"] >= 1900, "batch_loss"] = broken
    found = fidelity.likeness(experiment, ours)
    assert (found.verdict, found.why) == ("differs", "no loss or accuracy of ours at iteration 1,900")
    ours = author_log(experiment.author.run).fillna({"batch_loss": 1.0})
    ours.loc[3, "val_accuracy"] = np.nan
    assert fidelity.likeness(experiment, ours).verdict == "differs"


def test_first_losses_are_compared_at_iteration_0_alone():
    experiment = load_experiment("baseline")
    log = author_log(experiment.author.run)
    assert fidelity.likeness(experiment, log.iloc[1:]).first is None
    assert fidelity.likeness(experiment, log.iloc[1:]).verdict == "agrees"


def test_a_jumping_loss_is_given_its_own_scatter():
    """Four checks a factor of two up and down say little; the baselines' spread alone would say much."""
    log = log_of("mlp").head(5)
    jumps = log.assign(batch_loss=log["batch_loss"] * [1, 2.5, 0.6, 2.5, 0.6])
    judged = fidelity.likeness(load_experiment("mlp"), jumps)
    assert judged.verdict == "undecided"
    assert judged.loss.high - judged.loss.value > likeness.WIDEST["loss"]


def test_a_row_is_compared_where_the_author_trained_its_network():
    curve = another_run(log_of("baseline"), 0, 10)
    reasons = {
        "dense-128": "another network was run, first loss 4.54 expected, 3.73 logged",
        "lr-0.01": "another network was run, first loss 7.01 expected, 0.70 logged",
        "zero-initialization": "no log was published",
    }
    for name, why in reasons.items():
        judged = fidelity.likeness(load_experiment(name), curve)
        assert (judged.verdict, judged.why, judged.loss) == ("not compared", why, None)
    for name in (
        "baseline",
        "dense-128-as-run",
        "dense-64-as-run",
        "lr-0.01-as-run",
        "without-batch-norm",
        "mlp",
    ):
        assert not incomparable(load_experiment(name))


# ---- where a run stands --------------------------------------------------------------------------


def test_where_a_run_stands_beside_the_log():
    experiment, log = load_experiment("baseline"), log_of("baseline")

    def stands(curve):
        return standing(experiment, curve)

    at_2000 = log[log["iteration"] <= 2000]
    same = stands(at_2000)
    assert same.words == "on the author’s curve"
    assert same.ours == same.author
    assert same.ours.value == pytest.approx(100 * log["val_accuracy"][16:21].mean())
    assert same.ours.low < same.ours.value < same.ours.high
    assert stands(at_2000.assign(val_accuracy=at_2000["val_accuracy"] + 0.25)).words == "above"
    assert stands(at_2000.assign(val_accuracy=at_2000["val_accuracy"] / 2)).words == "below"
    assert stands(log.head(3)).words == "too early"
    assert stands(log.head(1)) is None
    assert standing(load_experiment("dense-128"), at_2000).words == "not compared"


def keep_under_way(row, history):
    """A run of the full protocol as it is brought from another machine, its checks those of a history."""
    paper = load_profile("paper")
    folder, key = run_folder(row, paper, 0)
    folder = under_way_dir(paper) / folder.name
    folder.mkdir(parents=True)
    write_json(folder / "config.json", key)
    columns = {"mean_loss": history["batch_loss"], "seconds": history["iteration"]}
    for split in ("train", "val"):
        scores = [wilson(round(250 * accuracy), 250) for accuracy in history[f"{split}_accuracy"]]
        columns |= {f"{split}_low": [score.low for score in scores], f"{split}_high": [score.high for score in scores]}
    history.assign(**columns).to_csv(folder / "history.csv", index=False, na_rep="nan")


def test_a_run_tells_where_its_checks_were_made(reports):
    assert fidelity.histories(["baseline"]) == []
    history = log_of("baseline").head(6)
    assert fidelity.origin_of(history) == ("an unknown backend on an unknown device", "unknown", "unknown")
    machine = {"backend": "tensorflow", "device": "CPU", "processor": "Some (R)", "convolutions": "bfloat16"}
    history = history.assign(**machine, commit=["aaa", "aaa", "bbb", "bbb", "bbb", "aaa"])
    history.loc[5, ["backend", "device", "convolutions"]] = ["jax", "NVIDIA H100", "GPU default"]
    keep_under_way(load_experiment("baseline"), history)
    origin = fidelity.origin_of(fidelity.histories(["baseline"])[0][2])
    assert origin.device == "TensorFlow on CPU (Some (R)) and JAX on NVIDIA H100"
    assert origin.convolutions == "bfloat16 and GPU default"
    assert origin.commit == "aaa and bbb"
    assert "commit aaa and bbb" in fidelity.source_words(fidelity.histories())


# ---- words and figures ---------------------------------------------------------------------------


def test_the_table_and_the_summary_say_what_was_judged():
    baseline, mlp = load_experiment("baseline"), load_experiment("mlp")
    judged = [
        fidelity.likeness(baseline, log_of("baseline-10k").head(51)),
        fidelity.likeness(mlp, log_of("mlp").head(2)),
        fidelity.likeness(load_experiment("dense-128"), log_of("baseline").head(3)),
    ]
    table = fidelity.likeness_table(judged)
    assert table["verdict"].tolist()[:2] == ["agrees", "undecided: 1 check, 4 needed"]
    assert table["iteration"].tolist() == ["5,000", "100", "200"]
    ratio = np.exp(judged[0].loss.value)
    assert table["loss, ours : author’s"][0].startswith(f"{ratio:.2f} (")
    assert table["loss, ours : author’s"][1] == "1.00", "no interval where the scatter is unknown"
    words = fidelity.summary(judged)
    assert "1 in agreement (Baseline), 0 different, 1 undecided, 1 without a log of this network" in words
    assert "2, lie at most 0.07 from the logged ones" in words
    assert fidelity.summary([]) == fidelity.source_words([]) == fidelity.NOTHING


def test_both_orders_of_the_mlp_stand_side_by_side(reports, monkeypatch):
    """The order that was given up is found by its own run's name, and has a line and panels of its own."""
    mlp = load_experiment("mlp")
    other = fidelity.other_order(mlp)
    assert not other.recipe.norm_after_relu
    assert fidelity.other_order(other).recipe == mlp.recipe
    assert fidelity.mlp_orders() == []
    for row, curve in ((mlp, log_of("mlp")), (other, log_of("mlp").head(3))):
        keep_under_way(row, curve)
    found = fidelity.mlp_orders()
    assert [(row.label, len(history)) for row, _, history in found] == [(other.label, 3), (mlp.label, 51)]
    assert [curve.label for curve in fidelity.curves(found)] == [other.label, mlp.label]
    assert [judged.verdict for judged in fidelity.likenesses(found)] == ["undecided", "agrees"]


def test_the_curves_are_drawn_over_the_whole_log():
    baseline, zero = load_experiment("baseline"), load_experiment("zero-initialization")
    curve = another_run(log_of("baseline"), 0, 12)
    figure = curve_figure(
        fidelity.curves([(baseline, 0, curve), (baseline, 1, curve.head(5)), (zero, 0, curve.head(1))])
    )
    assert len(figure.axes) == 4, "a pair of panels a row"
    loss = figure.axes[0]
    assert loss.get_title(loc="left") == "Baseline: to iteration 400, 1,200"
    assert loss.get_yscale() == "log"
    whole, *ours = (line.get_xdata() for line in loss.lines)
    looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in loss.lines[1:3]]
    assert [len(line) for line in ours[:2]] == [len(curve), 5]
    assert all(one != other for one, other in zip(*looks, strict=True)), "seeds differ in all three"
    assert list(whole) == log_of("baseline")["iteration"].tolist()
    said = [[text.get_text() for text in figure.axes[panel].texts] for panel in (0, 2)]
    assert said == [[""], ["no log of\nthis network"]]
    silent = fidelity.curves([(load_experiment("without-batch-norm"), 0, curve)])
    assert curve_figure(silent).axes[0].texts[0].get_text() == "no loss\nwas logged"
    assert not curve_figure([]).axes


# ---- the runs that are here ----------------------------------------------------------------------


def test_the_order_of_the_mlps_layers_is_told_by_its_curve():
    """What is committed of the MLP with BatchNorm before ReLU: the right first loss, and another curve."""
    wrong = fidelity.likenesses(fidelity.mlp_orders())[0]
    assert wrong.experiment.label.endswith("BatchNorm first")
    assert abs(wrong.first) < likeness.FIRST_LOSS
    assert wrong.checks >= likeness.FEWEST
    assert (wrong.verdict, wrong.why) == ("differs", "by its loss")


def test_every_committed_history_is_of_a_run_that_is_known():
    """Those of rows of today; of the MLP also the order that was given up."""
    paper = load_profile("paper")
    known = {run_folder(row, paper, seed)[0].name for row, seed, _ in fidelity.histories()}
    known |= {run_folder(fidelity.other_order(load_experiment("mlp")), paper, 0)[0].name}
    assert {path.name for path in under_way_dir(paper).iterdir()} <= known
    assert len(known) > 20
    for _, _, history in fidelity.histories():
        # older ones lack the two
        assert set(HISTORY_COLUMNS) - {"kernel_norm", "saturated"} <= set(history.columns)
        assert not history[["commit", "backend", "device"]].isna().any(axis=None)


def test_the_first_iterations_are_left_to_go_on_from(reports, tiny, fresh_keras):
    """Two checks now, the rest later: the whole run has what the first iterations had."""
    assert not training.load_or_train("baseline", tiny, 0, until=2).finished
    first = find_so_far(load_experiment("baseline"), tiny, 0).history
    assert first["iteration"].tolist() == [0, 2]
    run = training.load_or_train("baseline", tiny)
    assert run.history["batch_loss"].tolist()[:2] == first["batch_loss"].tolist()
    assert training.load_or_train("baseline", tiny, 0, until=2).run_id == run.run_id


@pytest.mark.slow
@pytest.mark.real_data
def test_the_full_protocol_starts_like_the_authors_run(reports):
    """100 iterations on real Omniglot, some five minutes on two cores."""
    assert not training.load_or_train("baseline", "paper", 0, until=100).finished
    ours = find_so_far(load_experiment("baseline"), load_profile("paper"), 0).history
    both = ours.merge(log_of("baseline"), on="iteration", suffixes=("", "_author"))
    assert both["iteration"].tolist() == [0, 100]
    assert both["batch_loss"][0] == pytest.approx(both["batch_loss_author"][0], abs=likeness.FIRST_LOSS)
    assert both["batch_loss"][1] == pytest.approx(both["batch_loss_author"][1], rel=0.2)
    assert ours["val_accuracy"][1] > 0.2
