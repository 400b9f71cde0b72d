"""Omniglot: found, fetched, checked, cached. Small made-up archives stand in for it, but for one test."""

import errno
import functools
import hashlib
import io
import os
import shutil
import threading
import zipfile
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from siamese_utils import paths
from siamese_utils.data import dataset as data
from siamese_utils.data import download, omniglot
from siamese_utils.errors import DataError

CHARACTERS = {
    "train": ("Greek/character01", "Greek/character02", "Latin/character01", "Latin/character02"),
    "val": ("Runes/character01", "Runes/character02"),
}


def png(image, mode="1", fmt="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).convert(mode).save(buffer, fmt)
    return buffer.getvalue()


@functools.cache
def made_up():
    """Splits by name, and the same drawings as PNG files by path, for each archive."""
    rng = np.random.default_rng(0)
    splits, files = {}, {}
    for split, names in CHARACTERS.items():
        images = np.full((len(names), 20, 105, 105), 255, np.uint8)
        images[..., 20:80, 30:70] = rng.integers(0, 2, (len(names), 20, 60, 40), np.uint8) * 255
        splits[split] = data.Split(images, names)
        folder = omniglot.ARCHIVES[split].name
        files[folder] = {
            f"{folder}/{name}/{number:04}_{drawer + 1:02}.png": png(image)
            for number, name in enumerate(names)
            for drawer, image in enumerate(images[number])
        }
    return splits, files


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


@functools.cache
def zips():
    return {f"{folder}.zip": zipped(files) for folder, files in made_up()[1].items()}


@pytest.fixture
def small(monkeypatch):
    """Let the made-up archives pass for Omniglot; no variable of the caller's takes part."""
    splits, _ = made_up()
    archives = {
        name: replace(
            archive,
            md5=hashlib.md5(zips()[f"{archive.name}.zip"]).hexdigest(),
            alphabets=tuple(sorted(set(splits[name].alphabets))),
            characters=splits[name].classes,
        )
        for name, archive in omniglot.ARCHIVES.items()
    }
    monkeypatch.setattr(omniglot, "ARCHIVES", archives)
    monkeypatch.setattr(omniglot, "FINGERPRINT", data.fingerprint(splits["train"], splits["val"]))
    monkeypatch.setattr(download, "PAUSE", 0)
    monkeypatch.delenv("SIAMESE_DATA_DIR", raising=False)
    monkeypatch.setenv("SIAMESE_OMNIGLOT_URL", "http://127.0.0.1:9/nobody-listens-here")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return splits


@pytest.fixture
def source(small, tmp_path):
    """A local folder with both zips."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name, content in zips().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def with_background(source, change):
    """Replace the background zip by one whose files went through `change`, a function from dict to dict."""
    files = change(dict(made_up()[1]["images_background"]))
    (source / "images_background.zip").write_bytes(zipped(files))
    return source


def same(one, other):
    return (
        replace(one, train=None, val=None) == replace(other, train=None, val=None)
        and all(one.split(s).characters == other.split(s).characters for s in ("train", "val"))
        and all(np.array_equal(one.split(s).images, other.split(s).images) for s in ("train", "val"))
    )


def fails(message, source, cache):
    """Loading raises a DataError of one line that matches, and leaves no temporary file; its text."""
    with pytest.raises(DataError, match=message) as caught:
        omniglot.load(source)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert not list(cache.parent.rglob("*.tmp"))
    return text


# --- a local folder ---------------------------------------------------------------------------------


def test_zips_load_as_drawn_and_from_the_cache_again(small, source, cache):
    first = omniglot.load(source)
    assert (first.name, first.synthetic, first.fingerprint) == ("omniglot", False, omniglot.FINGERPRINT)
    for name in ("train", "val"):
        assert first.split(name).characters == CHARACTERS[name]
        assert first.split(name).images.dtype == np.uint8
        assert np.array_equal(first.split(name).images, small[name].images)
    shutil.rmtree(source)
    again = omniglot.load()
    assert same(first, again)
    assert data.fingerprint(again.train, again.val) == again.fingerprint
    assert again.train.images.flags.writeable == first.train.images.flags.writeable


def test_the_cache_is_where_the_variable_says(source, cache):
    omniglot.load(source)
    assert (cache / omniglot.CACHE_NAME).is_file()


@pytest.mark.parametrize("below", ["", "images_background", "python"])
def test_unpacked_folders_load_too_nested_or_not(source, cache, below, monkeypatch):
    for path in list(source.glob("*.zip")):
        if below == "python":
            (source / below).mkdir(exist_ok=True)
            path.rename(source / below / path.name)
            continue
        target = source / below if path.stem == below else source
        with zipfile.ZipFile(path) as archive:
            archive.extractall(target)
        path.unlink()
    (source / ".DS_Store").write_bytes(b"left by a file manager")
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(source))
    dataset = omniglot.load()
    assert dataset.fingerprint == data.fingerprint(dataset.train, dataset.val) == omniglot.FINGERPRINT


def test_a_repacked_zip_is_judged_by_its_pixels(source, cache):
    def repack(files):
        grey = {name: png(np.asarray(Image.open(io.BytesIO(png_))), "L") for name, png_ in files.items()}
        shuffled = dict(sorted(grey.items(), key=lambda item: item[0][::-1]))
        return {name.removeprefix("images_background/"): content for name, content in shuffled.items()} | {
            "__MACOSX/images_background/._Greek": b"left by a file manager",
            "images_background/Greek/": b"",
        }

    assert omniglot.load(with_background(source, repack)).fingerprint == omniglot.FINGERPRINT


def test_a_zip_as_windows_packs_it_and_macos_litters_it(source, cache):
    def repack(files):
        windows = {name.replace("/", "\\").replace(".png", ".PNG"): content for name, content in files.items()}
        return windows | {
            "images_background\\Greek\\": b"",
            "images_background\\Greek\\character01\\._0000_01.png": b"left by a file manager",
            "images_background\\Greek\\THUMBS.DB": b"left by a file manager",
        }

    assert omniglot.load(with_background(source, repack)).fingerprint == omniglot.FINGERPRINT


@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_names_in_capitals_or_without_any_are_read(change, small, cache, tmp_path):
    folder, upper = tmp_path / "both", change is str.upper
    folder.mkdir()
    for name, files in made_up()[1].items():
        changed = zipped({change(path): content for path, content in files.items()})
        (folder / (f"{name}.zip".upper() if upper else f"{name}.zip")).write_bytes(changed)
    assert omniglot.load(folder).train.characters == CHARACTERS["train"]
    for path in list(folder.iterdir()):
        zipfile.ZipFile(path).extractall(folder)
        path.unlink()
    assert omniglot.load(folder).fingerprint == omniglot.FINGERPRINT


def test_all_that_is_wrong_with_the_drawings_is_named(source, cache):
    second = FIRST.replace("Greek", "Latin").replace("0000", "0002")
    fails(
        r"holds 19 drawings of Greek/character01, 19 drawings of Latin/character01, not 20",
        with_background(source, lambda f: {k: v for k, v in f.items() if k not in (FIRST, second)}),
        cache,
    )
    broken = with_background(source, lambda f: f | {FIRST: b"no", second: png(DRAWING[:, :9])})
    fails(r"Greek/character01/0000_01\.png .* not a readable PNG .*; Latin/.* is 9×105 pixels", broken, cache)


def test_folders_in_a_files_place_are_refused(source, cache):
    change = with_background(source, lambda f: f | {FIRST.replace("_01.png", "_99.png/"): b""})
    fails(r"holds a folder 'images_background/Greek/character01/0000_99\.png/', named like a drawing", change, cache)
    (source / "images_background.zip").unlink()
    (source / "images_background.zip").mkdir()
    fails(r"images_background\.zip is a folder, not the archive", source, cache)


def test_an_archive_that_is_large_unpacked_is_refused_before_it_is_read(source, cache, monkeypatch):
    monkeypatch.setattr(omniglot, "LARGEST_ARCHIVE", 1000)
    fails("holds more than 1,000 bytes unpacked", source, cache)


def test_an_explicit_source_rebuilds_the_cache_and_the_variable_does_not(source, cache, monkeypatch):
    omniglot.load(source)
    shutil.rmtree(source)
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(source))
    with pytest.warns(UserWarning, match=f"SIAMESE_DATA_DIR names no folder .*: the copy {cache}"):
        omniglot.load()
    fails("there is no folder", source, cache)


def test_missing_pieces_are_named(source, cache, tmp_path):
    fails("there is no folder .*SIAMESE_DATA_DIR", tmp_path / "nowhere", cache)
    (source / "images_evaluation.zip").unlink()
    fails("neither images_evaluation.zip nor a folder images_evaluation", source, cache)


def test_a_truncated_or_empty_zip_is_damaged(source, cache):
    path = source / "images_background.zip"
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], b"", b"<html>not a zip</html>"):
        path.write_bytes(broken)
        fails("images_background.zip is damaged or incomplete", source, cache)


def test_a_flipped_byte_inside_a_zip_is_noticed(source, cache):
    path = source / "images_background.zip"
    content = bytearray(path.read_bytes())
    # within the first drawing: 30 bytes of header, then its name
    content[30 + len(FIRST) + 20] ^= 0xFF
    path.write_bytes(content)
    fails("damaged", source, cache)


FIRST = "images_background/Greek/character01/0000_01.png"
DRAWING = np.full((105, 105), 255, np.uint8)
DRAWING[40:60, 50] = 0
GREY = np.where(DRAWING, 255, 100).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {"readme.txt": b"hello"}, "'readme.txt', which is not a drawing"),
        (lambda f: f | {"images_background/a.png": f[FIRST]}, "which is not a drawing of images_background"),
        (lambda f: made_up()[1]["images_evaluation"], "which is not a drawing of images_background"),
        (lambda f: f | {"images_background/../../x/y/z.png": f[FIRST]}, "leads out of its folder"),
        (lambda f: f | {"/Greek/character01/z.png": f[FIRST]}, "leads out of its folder"),
        (lambda f: f | {"C:\\Greek\\character01\\z.png": f[FIRST]}, "leads out of its folder"),
        (lambda f: f | {FIRST: png(DRAWING[:, :104])}, "character01/0000_01.png .* is 104×105 pixels"),
        (lambda f: f | {FIRST: png(GREY, "L")}, "not a drawing in black on white"),
        (lambda f: f | {FIRST: png(DRAWING | 255)}, "not a drawing in black on white"),
        (lambda f: f | {FIRST: f[FIRST][:-40]}, "not a readable PNG"),
        (lambda f: f | {FIRST: b"\x89PNG\r\n\x1a\n"}, "not a readable PNG"),
        (lambda f: f | {FIRST: png(DRAWING, "L", "BMP")}, "not a readable PNG"),
        (lambda f: f | {FIRST: b"\0" * 200_000}, "too large for a drawing"),
        (
            lambda f: {k: v for k, v in f.items() if k != FIRST},
            "holds 19 drawings of Greek/character01, not 20",
        ),
        (lambda f: f | {FIRST[:-4] + "b.png": f[FIRST]}, "holds 21 drawings of Greek/character01"),
        (
            lambda f: {k: v for k, v in f.items() if "Latin/character02" not in k},
            "2 alphabets with 3 characters",
        ),
        (
            lambda f: {k.replace("Latin", "Greek2"): v for k, v in f.items()},
            "drawings in .* are not Omniglot's",
        ),
        (lambda f: {}, "0 alphabets with 0 characters"),
        (lambda f: f | {FIRST: png(DRAWING)}, "are not Omniglot's"),
    ],
)
def test_foreign_or_damaged_content_is_refused(source, cache, change, message):
    fails(message, with_background(source, change), cache)
    assert not (cache / omniglot.CACHE_NAME).exists()


def test_unpacked_folders_are_checked_as_zips_are(source, cache):
    with zipfile.ZipFile(source / "images_background.zip") as archive:
        archive.extractall(source)
    (source / "images_background.zip").unlink()
    extra = source / "images_background" / "notes.txt"
    extra.write_text("mine")
    fails("'images_background/notes.txt', which is not a drawing", source, cache)
    extra.write_bytes(b"\0" * 200_000)
    fails("notes.txt is too large for a drawing", source, cache)
    extra.unlink()
    (source / FIRST).unlink()
    fails("holds 19 drawings", source, cache)
    (source / FIRST).symlink_to("nowhere")
    fails("cannot be read", source, cache)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
@example([(0, 0)])
def test_damaged_pngs_decode_or_raise_dataerror(changes):
    content = bytearray(png(DRAWING))
    for place, value in changes:
        content[place % len(content)] = value
    with suppress(DataError):
        assert omniglot._decode(bytes(content), "here").shape == (105, 105)


# --- the cache ------------------------------------------------------------------------------------


def damaged(path, how):
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "half-written": content[:middle],
            "empty": b"",
            "zeroed": bytes(len(content)),
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "foreign": b"not an archive at all",
        }[how]
    )


@pytest.mark.parametrize("how", ["half-written", "empty", "zeroed", "flipped", "foreign"])
def test_a_damaged_cache_is_rebuilt_or_reported(source, cache, how, monkeypatch):
    first = omniglot.load(source)
    path = cache / omniglot.CACHE_NAME
    damaged(path, how)
    text = fails("is damaged and was not rebuilt, because cannot reach", None, cache)
    assert str(path) in text
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(source))
    assert same(first, omniglot.load())
    shutil.rmtree(source)
    monkeypatch.delenv("SIAMESE_DATA_DIR")
    # from the cache, which is whole again
    assert same(first, omniglot.load())


def test_a_cache_of_other_pixels_is_not_trusted(source, cache, monkeypatch):
    omniglot.load(source)
    monkeypatch.setattr(omniglot, "FINGERPRINT", "0" * 64)
    fails("is damaged and was not rebuilt", None, cache)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_a_cache_with_changed_bytes_is_never_believed(source, cache, data):
    path = cache / omniglot.CACHE_NAME
    if not path.exists():
        omniglot.load(source)
        (cache / "good").write_bytes(path.read_bytes())
    content = bytearray((cache / "good").read_bytes())
    # the names and the zip's own directory are few bytes: aim there half the time
    tail = data.draw(st.booleans())
    places = st.integers(len(content) - 2500, len(content) - 1) if tail else st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    loaded, good = omniglot._read_cache(path), omniglot._read_cache(cache / "good")
    assert good is not None
    assert loaded is None or same(loaded, good)


def test_a_cache_folder_that_cannot_be_made_is_reported(source, cache):
    cache.write_text("in the way")
    fails("cannot store the data in .*set SIAMESE_CACHE_DIR", source, cache)


@pytest.mark.parametrize(
    ("where", "code"),
    [("os.replace", errno.EROFS), ("numpy.savez", errno.ENOSPC), ("os.fsync", errno.EDQUOT)],
)
def test_a_cache_that_cannot_be_written_is_reported(source, cache, monkeypatch, where, code):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(where, refuse)
    assert os.strerror(code) in fails("set SIAMESE_CACHE_DIR", source, cache)
    assert not (cache / omniglot.CACHE_NAME).exists()


def test_an_interrupted_build_leaves_nothing_under_the_final_name(source, cache, monkeypatch):
    def interrupt(file, **_):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupt)
        with pytest.raises(KeyboardInterrupt):
            omniglot.load(source)
    assert [path.name for path in cache.iterdir()] == [".omniglot.lock"]
    assert omniglot.load(source).fingerprint == omniglot.FINGERPRINT


def test_loads_side_by_side_build_once(source, cache, monkeypatch):
    builds = []
    read_folder = omniglot.read_folder
    monkeypatch.setattr(omniglot, "read_folder", lambda folder: builds.append(folder) or read_folder(folder))
    monkeypatch.setenv("SIAMESE_DATA_DIR", str(source))
    loads = [threading.Thread(target=omniglot.load) for _ in range(4)]
    for thread in loads:
        thread.start()
    for thread in loads:
        thread.join()
    assert len(builds) == 1


# --- the download ---------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves the zips; `drops` connections break halfway, `ranges` says whether Range is honoured."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(zips())
        self.drops = 0
        self.ranges = True
        self.status = 0
        self.asked = []

    def handle_error(self, request, client_address):
        """Keep quiet about clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name, wanted = self.server, self.path.rpartition("/")[2], self.headers.get("Range")
        server.asked.append((name, wanted))
        if server.status:
            self.send_error(server.status)
            return
        content = server.files[name]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        rest = content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if server.drops:
            server.drops -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(small, monkeypatch):
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("SIAMESE_OMNIGLOT_URL", f"http://127.0.0.1:{server.server_port}/mirror/")
        yield server
        server.shutdown()
        thread.join()


def names(cache):
    return sorted(path.name for path in cache.iterdir() if not path.name.startswith("."))


DOWNLOADED = ["images_background.zip", "images_evaluation.zip", omniglot.CACHE_NAME]


def test_without_a_source_the_zips_are_downloaded_once(server, cache):
    first = omniglot.load()
    assert first.fingerprint == omniglot.FINGERPRINT
    assert names(cache) == DOWNLOADED
    (cache / omniglot.CACHE_NAME).unlink()
    assert same(first, omniglot.load())
    assert [name for name, _ in server.asked] == DOWNLOADED[:2]


def test_a_dropped_connection_is_resumed(server, cache):
    server.drops = 2
    omniglot.load()
    asked = [wanted for name, wanted in server.asked if name == "images_background.zip"]
    half = len(zips()["images_background.zip"]) // 2
    first, second, third = (int(wanted[6:-1]) if wanted else 0 for wanted in asked)
    # all but a chunk cut off is kept
    assert 0 == first < second <= half < third
    assert names(cache) == DOWNLOADED


def test_a_download_that_keeps_stopping_is_resumed_by_the_next_call(server, cache):
    server.drops = download.TRIES
    text = fails("stopped after [0-9,]+ bytes: run again to go on from there, or set SIAMESE_DATA_DIR", None, cache)
    assert "images_background.zip" in text
    assert names(cache) == ["images_background.zip.part"]
    have = (cache / "images_background.zip.part").stat().st_size
    server.asked.clear()
    omniglot.load()
    assert server.asked[0] == ("images_background.zip", f"bytes={have}-")
    assert names(cache) == DOWNLOADED


def test_a_server_without_ranges_sends_all_of_it_again(server, cache):
    server.ranges, server.drops = False, 1
    assert omniglot.load().fingerprint == omniglot.FINGERPRINT
    assert names(cache) == DOWNLOADED


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(lambda whole: whole, id="complete"),
        pytest.param(lambda whole: whole + b"more", id="too long"),
        pytest.param(lambda whole: b"x" * (len(whole) // 3), id="other bytes"),
        pytest.param(lambda whole: b"x" * len(whole), id="other bytes, complete"),
        pytest.param(lambda whole: b"", id="empty"),
    ],
)
def test_whatever_an_earlier_download_left_behind_ends_well(server, cache, part):
    cache.mkdir()
    (cache / "images_background.zip.part").write_bytes(part(zips()["images_background.zip"]))
    assert omniglot.load().fingerprint == omniglot.FINGERPRINT
    assert names(cache) == DOWNLOADED


def test_another_file_than_the_published_one_is_refused(server, cache):
    server.files["images_evaluation.zip"] = b"<html>please log in</html>"
    fails("sent something else than the published archive", None, cache)
    assert names(cache) == ["images_background.zip"]


def test_a_damaged_zip_in_the_cache_folder_is_fetched_again(server, cache):
    cache.mkdir()
    (cache / "images_evaluation.zip").write_bytes(b"half")
    assert omniglot.load().fingerprint == omniglot.FINGERPRINT


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (503, download.TRIES)])
def test_a_servers_refusal_is_told(server, cache, status, tries):
    server.status = status
    fails(f"images_background.zip answered {status} .*set SIAMESE_DATA_DIR", None, cache)
    assert len(server.asked) == tries


def test_without_a_network_the_user_learns_what_to_do(small, cache, monkeypatch):
    fails("cannot reach http://127.0.0.1:9/.*set SIAMESE_DATA_DIR to a folder that holds", None, cache)
    monkeypatch.setenv("SIAMESE_OMNIGLOT_URL", "mirror.example/omniglot")
    fails("cannot reach mirror.example/.*SIAMESE_OMNIGLOT_URL", None, cache)
    assert names(cache) == []


def test_a_full_disk_during_the_download_is_reported(server, cache, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download, "_append_rest", refuse)
    fails("cannot store the data in .*No space left.*SIAMESE_CACHE_DIR", None, cache)


def test_an_interrupted_download_leaves_only_its_part(server, cache, monkeypatch):
    append_rest = download._append_rest

    def interrupt(url, part):
        append_rest(url, part)
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_append_rest", interrupt)
    with pytest.raises(KeyboardInterrupt):
        omniglot.load()
    assert names(cache) == ["images_background.zip.part"]


# --- the real thing ---------------------------------------------------------------------------------


@pytest.fixture
def real():
    """A local folder with the archives of the real Omniglot."""
    # a download leaves them beside the packed cache
    folder = omniglot.find_source() or paths.data_dir()
    if omniglot.find_source() is None and not (folder / "images_background.zip").is_file():
        pytest.skip("only the packed Omniglot is here: set SIAMESE_DATA_DIR to a folder that holds its two zips")
    return folder


@pytest.mark.real_data
def test_real_omniglot_is_what_the_paper_used_and_loads_again_from_its_cache_alone(real, cache, monkeypatch):
    first = omniglot.load(real)
    assert first.train.images.shape == (964, 20, 105, 105)
    assert first.val.images.shape == (659, 20, 105, 105)
    assert (len(set(first.train.alphabets)), len(set(first.val.alphabets))) == (30, 20)
    assert not set(first.train.alphabets) & set(first.val.alphabets)
    assert first.train.characters == tuple(sorted(first.train.characters))
    assert set(np.unique(first.val.images)) == {0, 255}
    # ink is the lesser part, and it is 0
    assert (first.val.images == 0).mean() < 0.2

    monkeypatch.setattr(omniglot, "read_folder", lambda folder: pytest.fail("the archives are read again"))
    again = omniglot.load()
    assert same(first, again)
    assert data.fingerprint(again.train, again.val) == omniglot.FINGERPRINT == again.fingerprint
