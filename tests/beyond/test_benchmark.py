"""The official one-shot runs: found, checked, and answered as upstream's own baseline answers them."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

from siamese_utils import paths
from siamese_utils.beyond import benchmark
from siamese_utils.data import omniglot
from siamese_utils.errors import DataError


def png(image, mode="1"):
    buffer = io.BytesIO()
    Image.fromarray(image).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def made_up(size=105, left_out=""):
    """A zip of the published layout: query i of run r shows the support's (i + r) % 20, moved by a pixel."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for run in range(20):
            folder, labels = f"run{run + 1:02}", []
            support = np.where(rng.random((20, size, size)) < 0.05, 0, 255).astype(np.uint8)
            for way in range(20):
                shown = (way + run) % 20
                files = {
                    f"{folder}/training/class{way + 1:02}.png": png(support[way]),
                    f"{folder}/test/item{way + 1:02}.png": png(np.roll(support[shown], 1, axis=1)),
                }
                for name, content in files.items():
                    if name != left_out:
                        archive.writestr(name, content)
                labels.append(f"{folder}/test/item{way + 1:02}.png {folder}/training/class{shown + 1:02}.png")
            archive.writestr(f"{folder}/class_labels.txt", "\n".join(labels) + "\n")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archive():
    return made_up()


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No variable of the caller's takes part, and nobody listens where downloads come from."""
    monkeypatch.delenv("SIAMESE_DATA_DIR", raising=False)
    monkeypatch.setenv("SIAMESE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SIAMESE_OMNIGLOT_URL", "http://127.0.0.1:9/nobody-listens-here")
    monkeypatch.setattr("siamese_utils.data.download.PAUSE", 0)
    return tmp_path


@pytest.fixture
def genuine(archive, monkeypatch, alone):
    """Let the made-up runs pass for the published ones."""
    path = alone / "made-up.zip"
    path.write_bytes(archive)
    runs = benchmark.read(path)
    monkeypatch.setattr(benchmark, "FINGERPRINT", benchmark.fingerprint(runs))
    return runs


def modified_hausdorff(queries, support):
    """Similarity without learning: minus the modified Hausdorff distance of the ink, (ways, ways), a row a query.

    Ink pixels are points about their centre; the distance of two drawings is the larger of the two mean distances from
    a point of one to the nearest of the other. Source: M.-P. Dubuisson and A. K. Jain, ICPR 1994, distance 23; the
    baseline that comes with the benchmark, with an error of 38.8 %.
    """

    def distance(one, other):
        left, right = (points - points.mean(axis=0) for points in map(np.argwhere, (one == 0, other == 0)))
        apart = cdist(left, right)
        return max(apart.min(axis=1).mean(), apart.min(axis=0).mean())

    return np.array([[-distance(query, shown) for shown in support] for query in queries])


def test_targets_are_the_labels_and_queries_are_scored_by_them(genuine):
    np.testing.assert_array_equal(genuine.targets[3], (np.arange(20) + 3) % 20)
    assert genuine.support.shape == genuine.queries.shape == (20, 20, 105, 105)

    def overlap(queries, support):
        return np.einsum("qhw,shw->qs", (queries == 0) * 1.0, np.roll(support == 0, 1, axis=2) * 1.0)

    assert benchmark.score_queries(genuine, overlap).all()
    assert not benchmark.score_queries(genuine, lambda q, s: -overlap(q, s)).any()
    # ties are wrong
    assert not benchmark.score_queries(genuine, lambda q, s: np.zeros((20, 20))).any()
    assert genuine.resized(28).queries.shape == (20, 20, 28, 28)


def test_a_query_is_right_where_its_own_is_larger_than_all_others(genuine):
    similarities = np.random.default_rng(0).integers(0, 30, (20, 20, 20)).astype(np.float32)
    similarities[0, 0, 3] = np.nan
    expected = np.zeros((20, 20), bool)
    for run, query in np.ndindex(20, 20):
        row, target = similarities[run, query], genuine.targets[run, query]
        expected[run, query] = all(row[target] > rival for rival in np.delete(row, target))
    turns = iter(similarities)
    found = benchmark.score_queries(genuine, lambda queries, support: next(turns))
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.sum() < 400


@pytest.mark.parametrize("place", ["", "one-shot-classification", "python/one-shot-classification"])
def test_it_is_found_where_upstream_keeps_it(place, genuine, archive, alone, monkeypatch):
    folder = alone / "data" / place
    folder.mkdir(parents=True)
    (folder / "all_runs.zip").write_bytes(archive)
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(alone / "data"))
    assert benchmark.fingerprint(benchmark.load()) == benchmark.FINGERPRINT


def test_a_zip_in_the_cache_is_not_fetched_again(genuine, archive, alone):
    (alone / "cache").mkdir()
    (alone / "cache" / "all_runs.zip").write_bytes(archive)
    assert benchmark.load().targets.shape == (20, 20)


def test_what_is_missing_or_wrong_says_what_to_do(archive, alone, monkeypatch):
    with pytest.raises(DataError, match=r"cannot reach .*SIAMESE_DATA_DIR to a folder that holds all_runs.zip"):
        benchmark.load()
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(alone))
    path = alone / "all_runs.zip"
    for content, says in [
        (archive, "does not hold the published one-shot runs"),
        (archive[: len(archive) // 2], "damaged"),
        (b"<html>", "damaged"),
        (made_up(left_out="run07/test/item03.png"), "damaged or does not hold"),
        (made_up(size=28), "28×28 pixels"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=says):
            benchmark.load()


def test_a_zip_as_windows_packs_it_is_read_and_a_large_one_is_not(genuine, archive, alone, monkeypatch):
    path = alone / "all_runs.zip"
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(alone))
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name.replace("/", "\\")), source.read(name))
    assert benchmark.fingerprint(benchmark.load()) == benchmark.fingerprint(genuine)
    monkeypatch.setattr(omniglot, "LARGEST_FILE", 100)
    with pytest.raises(DataError, match=r"class_labels\.txt is too large"):
        benchmark.load()
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"all_runs\.zip is a folder, not the zip"):
        benchmark.load()


@pytest.mark.slow
@pytest.mark.real_data
def test_the_published_runs_and_the_baseline_that_comes_with_them():
    folder = omniglot.find_source() or paths.data_dir()
    if not (folder / "all_runs.zip").is_file():
        pytest.skip("no all_runs.zip here: put it into the folder that SIAMESE_DATA_DIR names")
    runs = benchmark.load()
    assert np.array_equal(np.sort(runs.targets, axis=1), np.tile(np.arange(20), (20, 1)))
    error = 1 - benchmark.score_queries(runs, modified_hausdorff).mean()
    # as upstream's demo_classification says
    assert error == pytest.approx(0.388, abs=0.0006)
