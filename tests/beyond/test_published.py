"""The table of published results: sources, protocols that are never mixed, ours beside them."""

import pytest

from siamese_utils.beyond.published import beside, load_published, ours
from siamese_utils.errors import ParamsError


class Scored:
    """A run that has these accuracies, and nothing else."""

    def __init__(self, method, synthetic=False, **accuracies):
        scores = [{"protocol": name, "ways": 20, "accuracy": value} for name, value in accuracies.items()]
        self.metrics = {"learner": method, "scores": scores, "dataset": {"synthetic": synthetic}}


RUNS = [
    Scored("beyond", strict=0.97, within_alphabet=0.95),
    Scored("beyond", strict=0.98, within_alphabet=0.96),
    Scored("loss-triplet", strict=0.80),
]


def test_ours_are_means_over_the_seeds_and_errors_where_the_benchmark_counts_errors():
    (within,) = ours("within_alphabet", RUNS)
    assert within["value"] == pytest.approx(4.5)
    assert "2 seeds: 4.0–5.0" in within["name"]
    strict = ours("strict", RUNS)
    assert [line["value"] for line in strict] == pytest.approx([97.5, 80])
    assert "one seed" in strict[1]["name"]
    assert ours("random_split", RUNS) == []
    assert [line["note"] for line in strict] == [
        "rotated and mirrored classes, affine distortions and test-time augmentation (10 copies of an image)",
        "rotated classes",
    ]


def test_built_in_characters_do_not_stand_beside_omniglot():
    assert ours("strict", [*RUNS, Scored("loss-prototype", synthetic=True, strict=0.9)]) == ours("strict", RUNS)
    assert beside("strict", [Scored("beyond", synthetic=True, strict=0.9)]).empty


def test_protocols_are_not_mixed_and_the_best_stands_first():
    within = beside("within_alphabet", RUNS)
    assert within.columns.tolist() == ["", "error in %", "note", "source"]
    # both figures of one article
    assert (within["source"].str.contains('<a href="https://doi.org/10.1126/science.aab3050">Lake, ')).sum() == 4
    values = within["error in %"].astype(float).tolist()
    assert values == sorted(values)
    assert within["source"].eq("this companion").sum() == 1
    strict = beside("strict", RUNS)
    # nobody else's, so nobody else's beside it
    assert strict["accuracy in %"].tolist() == ["97.5", "80.0"]
    assert set(beside("random_split", RUNS)["source"]).isdisjoint({"this companion"})


def test_every_published_figure_has_a_source_and_a_protocol(tmp_path):
    published = load_published()
    assert {r.protocol for r in published.results} == {"within_alphabet", "random_split"}
    people = next(r for r in published.results if r.name == "People")
    assert (people.protocol, people.value) == ("within_alphabet", 4.5)
    path = tmp_path / "published.yaml"
    path.write_text("protocols: {}\nresults:\n- {protocol: strict, name: a, value: 1, note: '', source: '', url: x}")
    with pytest.raises(ParamsError, match=r"results\.a\.source.*results\.a\.url"):
        load_published(path)
