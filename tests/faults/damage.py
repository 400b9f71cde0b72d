"""What happens to a file: its bits, its length, its place."""

import shutil


def flip(rng, path, _):
    """One bit."""
    content = bytearray(path.read_bytes())
    place = int(rng.integers(8 * len(content)))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def cut(rng, path, _):
    """The end is missing, as after a copy that stopped."""
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content)))])


def empty(rng, path, _):
    path.write_bytes(b"")


def zeros(rng, path, _):
    """A block that never reached the disk before the power went."""
    content = bytearray(path.read_bytes())
    start = int(rng.integers(len(content)))
    end = min(len(content), start + int(rng.integers(1, 4096)))
    content[start:end] = bytes(end - start)
    path.write_bytes(content)


def noise(rng, path, _):
    path.write_bytes(rng.bytes(int(rng.integers(1, 5000))))


def double(rng, path, _):
    content = path.read_bytes()
    path.write_bytes(content + content)


def extend(rng, path, _):
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 50))))


def insert(rng, path, _):
    """A byte more, in the middle."""
    content = path.read_bytes()
    place = int(rng.integers(len(content) + 1))
    path.write_bytes(content[:place] + rng.bytes(1) + content[place:])


def digit(rng, path, _):
    """Another digit, as an editor's slip leaves it; a bit where there is none."""
    content = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(content) if byte in b"0123456789"]
    if not digits:
        return flip(rng, path, _)
    place = digits[int(rng.integers(len(digits)))]
    content[place] = ord("0") + (content[place] - ord("0") + int(rng.integers(1, 10))) % 10
    path.write_bytes(content)


def line_less(rng, path, _):
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[int(rng.integers(len(lines)))]
    path.write_bytes(b"".join(lines))


def line_twice(rng, path, _):
    lines = path.read_bytes().splitlines(keepends=True)
    place = int(rng.integers(len(lines)))
    lines.insert(int(rng.integers(len(lines) + 1)), lines[place])
    path.write_bytes(b"".join(lines))


def windows(rng, path, _):
    """Lines that end as on Windows, and a mark at the beginning."""
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


def other(rng, path, twin):
    """The file of that name from elsewhere."""
    if twin is None or not twin.is_file():
        return noise(rng, path, twin)
    shutil.copyfile(twin, path)


def remove(rng, path, _):
    path.unlink()


def folder(rng, path, _):
    path.unlink()
    path.mkdir()


def dead_link(rng, path, _):
    path.unlink()
    path.symlink_to("nowhere")


def loop(rng, path, _):
    """A link to itself."""
    path.unlink()
    path.symlink_to(path.name)


BYTES = (flip, flip, flip, cut, cut, empty, zeros, noise, double, extend, insert)
TEXT = (*BYTES, digit, digit, line_less, line_twice, windows)
PLACE = (remove, folder, dead_link, loop)
TEXTS = (".json", ".csv", ".yaml", ".ipynb")


def damage(rng, path, twin=None):
    """Let one thing happen to a file → what it was; "" where the file is what it was, after all.

    twin  a file of the same name from elsewhere
    """
    kinds = (*(TEXT if path.suffix in TEXTS or path.name == "SHA256SUMS" else BYTES), other, *PLACE)
    before = path.read_bytes()
    kind = kinds[int(rng.integers(len(kinds)))]
    kind(rng, path, twin)
    same = path.is_file() and path.read_bytes() == before
    return "" if same else f"{path.name}: {kind.__name__}"
