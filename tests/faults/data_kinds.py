"""What is read comes to harm: pictures, folders of them, archives, downloads, the packed Omniglot, YAML, the batch."""

import hashlib
import http.server
import io
import json
import os
import pickle
import shutil
import signal
import sys
import tarfile
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from . import crash_kinds, process
from .damage import damage
from .oracle import dice, show, without

FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP", "pgm": "PPM"}
ALPHABETS = {"images_background": ("Greek", "Latin", "Runes"), "images_evaluation": ("Tifinagh", "Oriya")}
DRAWERS, SIDE = 20, 105
PARAMETERS = ("experiments.yaml", "beyond.yaml", "published.yaml", "factorial.yaml", "claims.yaml")


def tell(value):
    """A function for a process: print what `value` gives."""

    def do():
        sys.stdout.write(str(value()))

    return do


def picture(rng, side=40):
    """Strokes on paper."""
    pixels = np.full((side, side), 255, np.uint8)
    for _ in range(4):
        row, column = rng.integers(0, side - 8, 2)
        pixels[row : row + 3, column : column + 8] = rng.integers(0, 60)
        pixels[row : row + 8, column : column + 3] = 0
    return Image.fromarray(pixels)


def _harm(case, path, twin=None):
    """Damage a file; its content before."""
    before = path.read_bytes()
    while not (done := damage(case.rng, path, twin)):
        pass
    case.about = done
    return before


def _put_back(path, content):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(content)


# ---- pictures ------------------------------------------------------------------------------------


def picture_file(case):
    """A damaged picture is named, or reads as what Pillow makes of it; a PNG as what it was, or not at all."""
    ending = list(FORMATS)[case.number % len(FORMATS)]
    path = case.folder / f"picture.{ending}"
    whole = picture(case.rng)
    whole.save(path, FORMATS[ending])

    def read():
        from siamese_utils.data.pictures import read_image

        image, _ = read_image(path)
        return hashlib.sha256(repr((image.mode, image.size)).encode() + image.tobytes()).hexdigest()

    reference = case.siamese(do=tell(read)).out
    before = _harm(case, path)
    ended = case.ended(case.siamese(do=tell(read)), 0, 2)
    if ended.code == 2:
        case.names(ended, path.name)
    elif ending == "png" or "cut" in case.about:
        case.expect(ended.out == reference, "another picture, without a word")
    _put_back(path, before)
    case.expect(case.ended(case.siamese(do=tell(read)), 0).out == reference, "not the same picture again")


def image_folder(case):
    """A folder of images of which one is damaged, or that is laid out as none may be."""
    root = case.folder / "letters"
    for name in "abcdef":
        (root / name).mkdir(parents=True)
        for number in range(3):
            picture(case.rng).save(root / name / f"{number}.png")

    def read():
        from siamese_utils.data.image_folder import load_folder

        return load_folder(root, 20).fingerprint

    reference = case.siamese(do=tell(read)).out
    victim = root / case.choose("abcdef") / f"{case.rng.integers(3)}.png"
    layouts = {
        "an empty class": lambda: (root / "g").mkdir(),
        "one image": lambda: [path.unlink() for path in sorted(victim.parent.iterdir())[:2]],
        "loose image": lambda: shutil.copy(victim, root),
        "too deep": lambda: shutil.copytree(root / "a", root / "b" / "x" / "y"),
        "twins": lambda: shutil.copytree(root / "a", root / "A"),
        "a link back": lambda: (root / "a" / "back").symlink_to(root),
        "no UTF-8": lambda: shutil.copy(victim, os.fsencode(root / "a") + b"/\xff.png"),
        "a class that cannot be listed": lambda: (root / "a").chmod(0),
        "an image that cannot be read": lambda: victim.chmod(0),
        "another format": lambda: victim.rename(victim.with_suffix(".heic")),
        "a fifo": lambda: (victim.unlink(), os.mkfifo(victim)),
    }
    if case.number % 2:
        case.about = case.choose(layouts)
        layouts[case.about]()
        ended = case.siamese(do=tell(read), harm=process.without_rights)
        (root / "a").chmod(0o755)
        case.ended(ended, 0, 2)
        said = case.about in ("a link back", "twins", "no UTF-8") or ended.code == 2 or ended.err
        case.expect(said or ended.out == reference, "another data set, without a word")
    else:
        _harm(case, victim)
        ended = case.ended(case.siamese(do=tell(read)), 0, 2)
        gone = not os.path.lexists(victim)
        case.expect(gone or ended.code == 2 or ended.out == reference, "another data set, without a word")
    if ended.code == 2:
        case.names(ended, root, victim.name, "has one image")


# ---- archives ------------------------------------------------------------------------------------


def small_omniglot(folder):
    """Two zips laid out as Omniglot's, of few characters, and the package told to take them for it."""
    from siamese_utils.data import omniglot

    rng, folder = dice(0), Path(folder)
    folder.mkdir()
    for key, (name, alphabets) in zip(("train", "val"), ALPHABETS.items(), strict=True):
        path = folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for alphabet in alphabets:
                for drawer in range(1, DRAWERS + 1):
                    file = io.BytesIO()
                    pixels = np.uint8(255 * (np.asarray(picture(rng, SIDE)) > 128))
                    Image.fromarray(pixels).convert("1").save(file, "PNG")
                    archive.writestr(f"{name}/{alphabet}/character01/0001_{drawer:02}.png", file.getvalue())
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        omniglot.ARCHIVES[key] = omniglot.Zip(name, md5, len(alphabets), tuple(alphabets))
    splits = (omniglot._read_split(folder / f"{z.name}.zip", z) for z in omniglot.ARCHIVES.values())
    omniglot.FINGERPRINT = omniglot.fingerprint(*splits)
    return folder


def _pixels():
    """The fingerprint of what is loaded, from its pixels."""
    from siamese_utils.data import omniglot

    found = omniglot.load()
    return omniglot.fingerprint(found.train, found.val)


def _is_omniglot(case, **environment):
    from siamese_utils.data import omniglot

    found = case.ended(case.siamese(do=tell(_pixels), SIAMESE_CACHE_DIR=case.folder / "cache", **environment), 0)
    case.expect(found.out.endswith(omniglot.FINGERPRINT), f"other pixels: {found.said[-200:]}")


def _source(case):
    return Path(shutil.copytree(case.world.omniglot, case.folder / "source"))


def omniglot_zip(case):
    """A damaged archive is named and nothing is packed; or its pixels are Omniglot's."""
    source, cache = _source(case), case.folder / "cache"
    path, twin = (source / f"{name}.zip" for name in case.rng.permutation(list(ALPHABETS)))
    before = _harm(case, path, twin)
    ended = case.ended(case.siamese("data", "--source", source, SIAMESE_CACHE_DIR=cache), 0, 2)
    if ended.code == 2:
        case.names(ended, path, path.stem, source)
        case.expect(not (cache / "omniglot.npz").exists(), "packed all the same")
        _put_back(path, before)
        case.ended(case.siamese("data", "--source", source, SIAMESE_CACHE_DIR=cache), 0)
    _is_omniglot(case)


def omniglot_cache(case):
    """A damaged cache is packed anew."""
    source, cache = _source(case), case.folder / "cache"
    case.ended(case.siamese("data", "--source", source, SIAMESE_CACHE_DIR=cache), 0)
    _harm(case, cache / "omniglot.npz")
    ended = case.siamese("data", SIAMESE_CACHE_DIR=cache, SIAMESE_DATA_DIR=source)
    in_the_way = any(what in case.about for what in ("folder", "loop"))
    case.ended(ended, 2 if in_the_way else 0)
    if in_the_way:
        _put_back(cache / "omniglot.npz", b"")
    _is_omniglot(case, SIAMESE_DATA_DIR=source)


def omniglot_killed(case):
    """Killed, or refused, while Omniglot is packed."""
    source, cache = _source(case), case.folder / "cache"
    error, kill = case.choose(crash_kinds.ERRORS), case.rng.random() < 0.5
    act = process.die(case.choose(crash_kinds.SIGNALS)) if kill else process.fail(error)
    harm = process.at_change(case.number % 8, cache, act)
    case.about = f"{'killed' if kill else error} at {case.number % 8}"
    ended = case.siamese("data", "--source", source, harm=harm, SIAMESE_CACHE_DIR=cache)
    if ended.code != -signal.SIGKILL:
        case.ended(ended, 0, 2, 130)
    case.ended(case.siamese("data", SIAMESE_CACHE_DIR=cache, SIAMESE_DATA_DIR=source), 0)
    _is_omniglot(case)


def download(case):
    """A server that fails in one way or another, several times; then it answers, and what came before is used."""
    from siamese_utils.data import download as module

    cache = case.folder / "cache"
    cache.mkdir()
    plan = [case.choose(("drop", "drop", "short", "noise", "404", "500", "no ranges")) for _ in range(6)]
    case.about = " ".join(plan)
    if case.rng.random() < 0.5:
        (cache / "images_background.zip.part").write_bytes(case.rng.bytes(int(case.rng.integers(1, 9000))))

    def impatient():
        module.PAUSE = 0.001

    with _server(case.world.omniglot, plan) as address:
        given = {"SIAMESE_CACHE_DIR": cache, "SIAMESE_OMNIGLOT_URL": address, "harm": impatient}
        for _ in range(9):
            ended = case.ended(case.siamese("data", **given), 0, 2)
            if ended.code == 0:
                break
            case.names(ended, address)
        case.expect(ended.code == 0, f"not fetched at last: {ended.said[-200:]}")
    _is_omniglot(case)


@contextmanager
def _server(folder, plan):
    """A server of a folder in a process of its own; its first answers are those of a plan."""
    left = list(plan)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            how = left.pop(0) if left else "well"
            content = (folder / self.path.rpartition("/")[2]).read_bytes()
            if how in ("404", "500"):
                return self.send_error(int(how))
            if how == "noise":
                content = dice(len(left)).bytes(len(content))
            start, given = 0, self.headers.get("Range")
            if given and how != "no ranges":
                start = int(given.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    return self.end_headers()
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            rest = content[start:]
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            sent = {"drop": len(rest) // 2, "short": len(rest) - 1}.get(how, len(rest))
            with suppress(OSError):
                self.wfile.write(rest[:sent])

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    pid = os.fork()
    if not pid:
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    server.server_close()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _archive(case, name, path):
    """A damaged archive is named, or holds what it held."""

    def read():
        from siamese_utils.data.archives import ARCHIVES, load

        os.environ[ARCHIVES[name].variable] = str(path)
        return load(name, 12).fingerprint

    reference = case.ended(case.siamese(do=tell(read)), 0).out
    before = _harm(case, path)
    ended = case.ended(case.siamese(do=tell(read)), 0, 2)
    if ended.code == 2:
        case.names(ended, path.name)
    else:
        case.expect(ended.out == reference, "another data set, without a word")
    _put_back(path, before)
    case.expect(case.ended(case.siamese(do=tell(read)), 0).out == reference, "not the same data set again")


def faces_zip(case):
    path = case.folder / "att_faces.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README", "faces")
        for person in range(1, 7):
            for number in range(1, 4):
                file = io.BytesIO()
                picture(case.rng, 20).save(file, "PPM")
                archive.writestr(f"s{person}/{number}.pgm", file.getvalue())
    _archive(case, "att-faces", path)


def mini_imagenet(case):
    path = case.folder / "mini-imagenet.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for part in ("train", "test"):
            pixels = case.rng.integers(0, 256, (12, 12, 12, 3), np.uint8)
            classes = {f"{part}{number}": list(range(4 * number, 4 * number + 4)) for number in range(3)}
            content = pickle.dumps({"image_data": pixels, "class_dict": classes})
            member = tarfile.TarInfo(f"mini-imagenet-cache-{part}.pkl")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    _archive(case, "mini-imagenet", path)


# ---- parameters, and what a batch leaves ---------------------------------------------------------


def profile_file(case):
    """A profile's file: what is wrong in it is said; what is not, is as a reader of YAML reads it."""
    case.bring("finished")
    path = case.folder / "faults.yaml"
    shutil.copy(case.world.profile, path)
    before = _harm(case, path, case.world.root / "params" / "profiles" / "demo.yaml")

    def read():
        from siamese_utils.config import load_profile

        return json.dumps(load_profile(path).model_dump(mode="json", exclude={"name"}, exclude_defaults=True))

    ended = case.ended(case.siamese(do=tell(read)), 0, 2)
    if ended.code == 0:
        wanted = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        case.expect(json.loads(ended.out).items() <= wanted.items(), f"read as {ended.out}")
    case.ended(case.siamese(case.choose(("status", "verify")), "-p", path), ended.code)
    _put_back(path, before)
    case.ended(case.siamese("status", "-p", path), 0)


def parameter_file(case):
    """A file of params/: what it does not define any more is not shown under its name."""
    case.bring("finished")
    home = case.folder / "home"
    shutil.copytree(case.world.root / "params", home / "params")
    (home / "notebooks").symlink_to(case.world.root / "notebooks")
    path = home / "params" / PARAMETERS[case.number % len(PARAMETERS)]
    before = _harm(case, path)

    def read():
        from siamese_utils.beyond.config import load_beyond
        from siamese_utils.beyond.published import load_published
        from siamese_utils.evidence.claims import load_claims, row_claims
        from siamese_utils.evidence.factorial import cells, load_factorial

        load_beyond(), load_published(), load_claims(), row_claims(), load_factorial(), cells()

    def rows():
        from siamese_utils.config import load_profile
        from siamese_utils.evidence.board import Board

        return Board(load_profile(case.world.profile)).rows

    for do in (read, rows):
        case.ended(case.siamese(do=tell(do), SIAMESE_HOME=home), 0, 2)
    case.ended(case.siamese("status", "-p", case.world.profile, SIAMESE_HOME=home), 0, 2)
    shown = case.ended(case.siamese(do=show(case.world), SIAMESE_HOME=home), 0, 2)
    lines, reference = without(shown.out, None), without(case.world.table, None)
    case.expect(set(lines) <= set(reference), f"another table: {lines}")
    _put_back(path, before)
    case.expect(case.siamese(do=show(case.world), SIAMESE_HOME=home).out == case.world.table, "not the same table")


def batch_record(case):
    """What a batch left of its outcomes."""
    case.bring("finished")
    path = case.reports / "faults" / "batch.json"
    path.write_text(json.dumps([{"notebook": "01_dataset", "status": "ok", "seconds": 1.0, "error": None}], indent=1))
    before = _harm(case, path)
    ended = case.ended(case.siamese("status", "-p", case.world.profile), 0, 2)
    if ended.code == 2:
        case.names(ended, path)
    _put_back(path, before)
    case.ended(case.siamese("status", "-p", case.world.profile), 0)


KINDS = {
    picture_file: 60,
    image_folder: 30,
    omniglot_zip: 25,
    omniglot_cache: 20,
    omniglot_killed: 16,
    download: 15,
    faces_zip: 30,
    mini_imagenet: 30,
    profile_file: 30,
    parameter_file: 25,
    batch_record: 15,
}
