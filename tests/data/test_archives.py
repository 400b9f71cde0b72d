"""Published archives of other datasets, on small ones of the same layout; nothing is downloaded from afar."""

import hashlib
import io
import os
import pickle
import tarfile
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.training import load_or_train
from siamese_utils.data import archives
from siamese_utils.errors import DataError

RNG = np.random.default_rng(7)


def face(number):
    file = io.BytesIO()
    picture = np.full((112, 92), number, np.uint8)
    picture[0, 0] += 1
    Image.fromarray(picture).save(file, "PPM")
    return file.getvalue()


def write_faces(path, folder="", people=5, pictures=3):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}README", "The ORL face database")
        for person in range(1, people + 1):
            for picture in range(1, pictures + 1):
                archive.writestr(f"{folder}s{person}/{picture}.pgm", face(10 * person + picture))


def pixels(classes, each):
    return np.repeat(np.arange(classes * each, dtype=np.uint8), 84 * 84 * 3).reshape(-1, 84, 84, 3)


def write_mini(path, content=None, protocol=2, sizes=(("train", 5, 4), ("val", 2, 4), ("test", 3, 4))):
    with tarfile.open(path, "w:gz") as archive:
        for name, classes, each in sizes:
            numbers = {f"n0{name}{c}": list(range(c * each, c * each + each)) for c in range(classes)}
            split = {"image_data": pixels(classes, each), "class_dict": numbers}
            data = pickle.dumps(split if content is None else content, protocol=protocol)
            member = tarfile.TarInfo(f"mini-imagenet-cache-{name}.pkl")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SIAMESE_DATA_DIR", raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize("folder", ["", "orl_faces/"])
def test_faces(folder, tmp_path):
    write_faces(tmp_path / "att_faces.zip", folder)
    dataset = archives.load("att-faces", 28, tmp_path)
    assert (dataset.train.classes, dataset.val.classes) == (3, 2)
    assert dataset.train.images.shape == (3, 3, 28, 28)
    names = dataset.train.characters + dataset.val.characters
    assert sorted(names) == ["s01", "s02", "s03", "s04", "s05"]
    person = int(dataset.train.characters[0][1:])
    assert dataset.train.images[0, :, 14, 14].tolist() == [10 * person + n for n in (1, 2, 3)]


@pytest.mark.parametrize("protocol", [2, 5])
def test_mini_imagenet(protocol, tmp_path):
    write_mini(tmp_path / "mini-imagenet.tar.gz", protocol=protocol)
    dataset = archives.load("mini-imagenet", 16, tmp_path / "mini-imagenet.tar.gz")
    assert (dataset.train.classes, dataset.val.classes) == (5, 3)
    assert dataset.train.images.shape == (5, 4, 16, 16, 3)
    assert dataset.train.images[1, :, 0, 0, 0].tolist() == [4, 5, 6, 7]
    assert not set(dataset.train.characters) & set(dataset.val.characters)
    assert len(dataset.fingerprint) == 64


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mini(tmp_path / "mini-imagenet.tar.gz", content=Harmful())
    with pytest.raises(DataError, match=r"asks for .*system, which is no array"):
        archives.load("mini-imagenet", 16, tmp_path)
    assert not (tmp_path / "harmed").exists()


def test_what_is_wrong_with_an_archive_is_said(tmp_path):
    with pytest.raises(DataError, match=r"there is no att_faces.zip in"):
        archives.load("att-faces", 28, tmp_path)
    (tmp_path / "att_faces.zip").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="damaged"):
        archives.load("att-faces", 28, tmp_path)
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "w") as archive:
        archive.writestr("s1/readme.txt", "")
    with pytest.raises(DataError, match=r"no s1/1\.pgm"):
        archives.load("att-faces", 28, tmp_path)
    for content in (
        {"image_data": pixels(1, 2)},
        {"image_data": np.zeros((2, 84, 84)), "class_dict": {}},
        [1],
    ):
        write_mini(tmp_path / "mini-imagenet.tar.gz", content=content)
        with pytest.raises(DataError, match="not laid out as"):
            archives.load("mini-imagenet", 16, tmp_path)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("name", "write"), [("att-faces", write_faces), ("mini-imagenet", write_mini)])
def test_an_archive_is_downloaded_once_and_checked(name, write, served, cache, monkeypatch):
    folder, address = served
    write(folder / "download")
    published = archives.ARCHIVES[name]
    assert len(published.md5) == 32
    here = replace(
        published,
        url=f"{address}/download?id=1",
        md5=hashlib.md5((folder / "download").read_bytes()).hexdigest(),
    )
    monkeypatch.setitem(archives.ARCHIVES, name, here)
    first = archives.load(name, 12)
    assert (cache / published.file).is_file()
    (folder / "download").unlink()
    assert archives.load(name, 12).fingerprint == first.fingerprint  # from the cache
    (cache / published.file).unlink()
    (folder / "download").write_bytes(b"something else")
    with pytest.raises(DataError, match="something else than the published archive"):
        archives.load(name, 12)


def test_a_method_trains_on_an_archive_by_its_name(tmp_path, reports, monkeypatch, fresh_keras):
    write_faces(tmp_path / "att_faces.zip", people=10)
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(tmp_path))
    method = load_method("loss-triplet").model_copy(update={"steps_on_synthetic": 2})
    run = load_or_train(method, "demo", archive="att-faces")
    assert run.metrics["dataset"]["name"] == "att-faces"
    assert set(run.metrics["scored_on"]) < {f"s{n:02}" for n in range(1, 11)}
