"""Published archives of other datasets, on small ones of the same layout; nothing is downloaded from afar."""

import hashlib
import io
import os
import pickle
import sys
import tarfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from siamese_utils import cli
from siamese_utils.beyond.config import load_method
from siamese_utils.beyond.training import load_or_train
from siamese_utils.data import archives
from siamese_utils.data.download import fetch
from siamese_utils.errors import DataError
from siamese_utils.inference.one_shot import OneShot

RNG = np.random.default_rng(7)
REAL_FACES = os.environ.get("SIAMESE_FACES_DIR")


def face(number):
    file = io.BytesIO()
    picture = np.full((112, 92), number, np.uint8)
    picture[0, 0] += 2
    Image.fromarray(picture).save(file, "PPM")
    return file.getvalue()


def write_faces(path, folder="", people=5, pictures=3):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}README", "The ORL face database")
        for person in range(1, people + 1):
            for picture in range(1, pictures + 1):
                archive.writestr(f"{folder}s{person}/{picture}.pgm", face(10 * person + picture))


def pixels(classes, each, first=0):
    numbers = np.arange(first, first + classes * each, dtype=np.uint8)
    return np.repeat(numbers, 84 * 84 * 3).reshape(-1, 84, 84, 3)


def write_mini(path, content=None, protocol=2, sizes=(("train", 5, 4), ("val", 2, 4), ("test", 3, 4))):
    with tarfile.open(path, "w:gz") as archive:
        for name, classes, each in sizes:
            numbers = {f"n0{name}{c}": list(range(c * each, c * each + each)) for c in range(classes)}
            first = {"train": 0, "val": 100, "test": 200}[name]
            split = {"image_data": pixels(classes, each, first), "class_dict": numbers}
            data = pickle.dumps(split if content is None else content, protocol=protocol)
            member = tarfile.TarInfo(f"mini-imagenet-cache-{name}.pkl")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("SIAMESE_FACES_DIR", raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize("folder", ["", "orl_faces/"])
def test_faces(folder, tmp_path):
    write_faces(tmp_path / "att_faces.zip", folder)
    dataset = archives.load("att-faces", 28)
    assert (dataset.train.classes, dataset.val.classes) == (3, 2)
    assert dataset.train.images.shape == (3, 3, 28, 28)
    names = dataset.train.characters + dataset.val.characters
    assert sorted(names) == ["s01", "s02", "s03", "s04", "s05"]
    person = int(dataset.train.characters[0][1:])
    assert dataset.train.images[0, :, 14, 14].tolist() == [10 * person + n for n in (1, 2, 3)]


@pytest.mark.parametrize("protocol", [2, 5])
def test_mini_imagenet(protocol, tmp_path):
    write_mini(tmp_path / "mini-imagenet.tar.gz", protocol=protocol)
    dataset = archives.load("mini-imagenet", 16)
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
        archives.load("mini-imagenet", 16)
    assert not (tmp_path / "harmed").exists()


def test_what_is_wrong_with_an_archive_is_said(tmp_path):
    (tmp_path / "att_faces.zip").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="damaged"):
        archives.load("att-faces", 28)
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "w") as archive:
        archive.writestr("s1/readme.txt", "")
    with pytest.raises(DataError, match=r"no s1/1\.pgm"):
        archives.load("att-faces", 28)
    for content in (
        {"image_data": pixels(1, 2)},
        {"image_data": np.zeros((2, 84, 84)), "class_dict": {}},
        [1],
    ):
        write_mini(tmp_path / "mini-imagenet.tar.gz", content=content)
        with pytest.raises(DataError, match="not laid out as"):
            archives.load("mini-imagenet", 16)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["s1/1.pgm", "s1/2.pgm", "S1/1.PGM"], "picture 1 of person 1 is in it twice"),
        (["s1/1.pgm", "s1/2.pgm", "more/s01/01.pgm"], "is in it twice"),
        (["s1/1.pgm", "s2/1.pgm", "s3/1.pgm", "s3/2.pgm"], "fewer than two pictures of s1, s2"),
        (["s1/1.pgm", "s1/2.pgm", "s1/3.pgm/"], r"s1/3\.pgm/ in it is a folder"),
    ],
)
def test_faces_that_are_not_clear_are_refused(names, says, tmp_path):
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, b"" if name.endswith("/") else face(number))
    with pytest.raises(DataError, match=says):
        archives.load("att-faces", 28)


def test_faces_as_windows_and_macos_pack_them(tmp_path):
    write_faces(tmp_path / "att_faces.zip")
    expected = archives.load("att-faces", 28)
    with zipfile.ZipFile(tmp_path / "att_faces.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "w") as archive:
        archive.writestr("ORL/", b"")
        archive.writestr("ORL/S1/", b"")
        archive.writestr("__MACOSX/ORL/s1/._1.pgm", b"litter")
        archive.writestr("ORL/s1/._2.pgm", b"litter")
        archive.writestr("ORL/Thumbs.db", b"litter")
        for name, content in files.items():
            member = zipfile.ZipInfo("ORL\\" + name.upper().replace("/", "\\"))
            archive.writestr(member, content)
    (tmp_path / "att_faces.zip").rename(tmp_path / "ATT_FACES.ZIP")
    assert archives.load("att-faces", 28).fingerprint == expected.fingerprint


def test_faces_that_are_not_read_are_said(tmp_path):
    write_faces(tmp_path / "att_faces.zip")
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "a") as archive:
        for name in ("s6/1.png", "s6/2.JPG", "people\\anna\\1.pgm", "s7/1.heic", "s1/._1.png", "s1/1.txt"):
            archive.writestr(name, b"a picture")
    with pytest.warns(UserWarning, match=r"4 pictures in it are no s1/1.pgm and not read \(s6/1.png, s6/2.JPG, people"):
        dataset = archives.load("att-faces", 28)
    assert len({*dataset.train.characters, *dataset.val.characters}) == 5


def test_a_small_zip_that_is_large_unpacked_is_refused_before_it_is_read(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1, 5):
            archive.writestr(f"s1/{number}.pgm", bytes(60_000_000))
    assert (tmp_path / "att_faces.zip").stat().st_size < 1_000_000
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it is read"))
    with pytest.raises(DataError, match=r"more than 100,000 files or 200,000,000 bytes in it"):
        archives.load("att-faces", 28)
    monkeypatch.setattr(archives, "LARGEST_PICKLE", 1000)
    write_mini(tmp_path / "mini-imagenet.tar.gz")
    with pytest.raises(DataError, match=r"cache-train\.pkl takes more than 1,000 bytes"):
        archives.load("mini-imagenet", 16)


def test_faces_are_read_where_they_are(tmp_path, cache):
    write_faces(tmp_path / "att_faces.zip")
    before = sorted(tmp_path.rglob("*"))
    archives.load("att-faces", 28)
    assert sorted(tmp_path.rglob("*")) == before


def test_every_broken_face_is_named(tmp_path):
    write_faces(tmp_path / "att_faces.zip")
    with zipfile.ZipFile(tmp_path / "att_faces.zip", "a") as archive:
        archive.writestr("s1/8.pgm", b"no")
        archive.writestr("s2/9.pgm", b"%!PS-Adobe-3.0 EPSF-3.0")
    with pytest.raises(DataError, match=r"s1/8\.pgm in .*att_faces\.zip is not .*; s2/9\.pgm in .* is not "):
        archives.load("att-faces", 28)


@pytest.mark.parametrize("name", ["att-faces", "mini-imagenet"])
def test_a_folder_named_like_the_archive_is_said(name, tmp_path):
    (tmp_path / archives.ARCHIVES[name].file).mkdir()
    with pytest.raises(DataError, match="is a folder, not the archive"):
        archives.load(name, 28)


@pytest.mark.real_data
def test_the_real_faces(monkeypatch):
    if not REAL_FACES:
        pytest.skip("no real AT&T faces: set SIAMESE_FACES_DIR to the folder of att_faces.zip")
    monkeypatch.setenv("SIAMESE_FACES_DIR", REAL_FACES)
    dataset = archives.load("att-faces", 46)
    assert (dataset.train.images.shape, dataset.val.images.shape) == ((30, 10, 46, 46), (10, 10, 46, 46))
    flat = dataset.val.images.reshape(100, -1).astype(float)
    distances = np.square(flat[:, None] - flat[None]).sum(axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 10 == np.arange(100) // 10).mean() > 0.9


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([0, -1], "image numbers from -1 to 0, of 4 images"),
        ([0, 4], "image numbers from 0 to 4, of 4 images"),
        ([0, 2**70], "whole numbers"),
        ([0.0, 1.0], "no list of two or more whole numbers"),
        ([True, False], "no list of two or more whole numbers"),
        ([True, 0], "true or false for an image number"),
        (["0", "1"], "no list of two or more whole numbers"),
        ([[0, 1]], "no list of two or more whole numbers"),
        ([0], "no list of two or more whole numbers"),
        ([], "no list of two or more whole numbers"),
        ([2, 2], "stands there twice"),
        # 3 is the other class's
        ([0, 3], "stands there twice"),
        (None, "no list of two or more whole numbers"),
    ],
)
def test_image_numbers_are_checked(numbers, says, tmp_path):
    content = {"image_data": pixels(1, 4), "class_dict": {"a": numbers, "b": [1, 3]}}
    write_mini(tmp_path / "mini-imagenet.tar.gz", content)
    with pytest.raises(DataError, match=says):
        archives.load("mini-imagenet", 16)


def test_image_numbers_may_be_arrays(tmp_path):
    content = {"image_data": pixels(1, 4), "class_dict": {"a": np.array([0, 2]), "b": np.array([1, 3], np.uint8)}}
    write_mini(tmp_path / "mini-imagenet.tar.gz", content)
    with pytest.raises(DataError, match="a, b in both train and test"):
        archives.load("mini-imagenet", 16)


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


def test_any_flipped_bit_of_mini_imagenet_is_found(tmp_path):
    """Noise is stored as it is: only the checksum at the very end tells."""
    path, rng = tmp_path / "mini-imagenet.tar.gz", np.random.default_rng(0)
    noise = {"image_data": rng.integers(0, 256, (4, 84, 84, 3), np.uint8), "class_dict": {"a": [0, 1], "b": [2, 3]}}
    with tarfile.open(path, "w:gz") as archive:
        for part, classes in (("train", "ab"), ("test", "cd")):
            numbers = dict(zip(classes, noise["class_dict"].values(), strict=True))
            data = pickle.dumps({**noise, "class_dict": numbers})
            member = tarfile.TarInfo(f"mini-imagenet-cache-{part}.pkl")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    whole = path.read_bytes()
    for place in rng.integers(30, len(whole), 10):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError, match="damaged"):
            archives.load("mini-imagenet", 16)


@pytest.mark.parametrize(("name", "write"), [("att-faces", write_faces), ("mini-imagenet", write_mini)])
def test_an_archive_is_downloaded_once_and_checked(name, write, served, cache, monkeypatch):
    monkeypatch.delenv("SIAMESE_DATA_DIR")
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
    # from the cache
    assert archives.load(name, 12).fingerprint == first.fingerprint
    (cache / published.file).unlink()
    (folder / "download").write_bytes(b"something else")
    with pytest.raises(DataError, match="something else than the published archive"):
        archives.load(name, 12)


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "hard link", "folder"])
def test_a_download_writes_through_no_link(kind, served, tmp_path):
    folder, address = served
    write_faces(folder / "faces.zip")
    victim, part = tmp_path / "victim", tmp_path / "here" / "faces.zip.part"
    victim.write_text("mine")
    part.parent.mkdir()
    if kind == "folder":
        part.mkdir()
    elif kind == "hard link":
        part.hardlink_to(victim)
    else:
        part.symlink_to(victim if kind == "link" else tmp_path / "new")
    with pytest.raises(DataError, match=r"faces\.zip\.part is a link or no common file.*: remove it\."):
        fetch(f"{address}/faces.zip", part.parent, md5=None, instead="wait")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_one_of_several_at_once_downloads(served, tmp_path, monkeypatch):
    folder, address = served
    write_faces(folder / "faces.zip")
    asked = []
    serve = Quiet.do_GET
    monkeypatch.setattr(Quiet, "do_GET", lambda self: (asked.append(self.path), time.sleep(0.3), serve(self)))
    md5 = hashlib.md5((folder / "faces.zip").read_bytes()).hexdigest()
    with ThreadPoolExecutor(4) as pool:
        got = [pool.submit(fetch, f"{address}/faces.zip", tmp_path / "a", md5=md5, instead="wait") for _ in range(4)]
        assert {future.result() for future in got} == {tmp_path / "a" / "faces.zip"}
    assert len(asked) == 1


def test_a_method_trains_on_an_archive_by_its_name(tmp_path, reports, monkeypatch, fresh_keras):
    write_faces(tmp_path / "att_faces.zip", people=10)
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(tmp_path))
    method = load_method("loss-triplet").model_copy(update={"steps_on_synthetic": 2})
    run = load_or_train(method, "demo", archive="att-faces")
    assert run.metrics["dataset"]["name"] == "att-faces"
    assert set(run.metrics["scored_on"]) < {f"s{n:02}" for n in range(1, 11)}


def test_the_command_learns_on_mini_imagenet_and_the_model_is_used(tmp_path, reports, monkeypatch, capsys, fresh_keras):
    """Its layout in miniature, from the archive to an answer, without a download."""
    write_mini(tmp_path / "mini-imagenet.tar.gz", sizes=(("train", 10, 5), ("val", 2, 4), ("test", 4, 5)))
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(tmp_path))
    model = tmp_path / "model.keras"
    options = ["pictures-pixels", "--data", "mini-imagenet", "-p", "demo", "--evaluation", "-o", str(model)]
    monkeypatch.setattr(sys, "argv", ["siamese", "learn", *options])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = " ".join(capsys.readouterr().out.split())
    assert not ended.value.code
    assert "strict 4-way 1-shot" in said
    assert "held out from training, and scored on: n0test0" in said
    used = OneShot.load(model)
    assert used.colour
    assert not used.reads_drawings
    step = np.arange(84, dtype=np.uint8)[:, None, None]
    picture = pixels(1, 2, first=7) + step
    (best, _), _ = used.classify(picture[0], {"near": picture[1], "far": pixels(1, 1, first=160)[0] + step})
    assert best == "near"
