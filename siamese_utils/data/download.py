"""Fetch a file once: by pooch, which checks its MD5, resumed where an earlier try stopped; errors say what to do."""

import functools
import os
import stat
import time
import warnings
from pathlib import Path

import requests
from tqdm import tqdm  # type: ignore[import-untyped]

from ..errors import DataError
from ..files import locked

# how often one call asks for a file before it gives up
TRIES = 4
# seconds before the second try; doubles each time
PAUSE = 0.5


def fetch(url: str, folder: Path, *, md5: str | None, instead: str, name: str = "") -> Path:
    """Fetch the file into `folder`, check its MD5 where one is given, return its path; an intact one there is kept.

    instead  what else the user can do, for the message: "set … to …"
    name     the file's name, where the address does not end with it

    A download that stops is resumed, in this call or by the next. Raises DataError where the file cannot be had or
    stored, or is not the published one.
    """
    with warnings.catch_warnings():
        # importing it warns in a notebook that has no widgets
        warnings.simplefilter("ignore")
        import pooch

    name = name or url.rpartition("/")[2]
    resume = functools.partial(_resume, name)
    part, known = folder / f"{name}.part", f"md5:{md5}" if md5 else None
    instead = f"or {instead}"
    try:
        with locked(folder / f".{name}.lock", f"the download of {name}"):
            _refuse_planted(part)
            resumed = part.exists()
            try:
                pooch.retrieve(url, known, name, folder, downloader=resume)
            except ValueError:
                # a wrong MD5; the bytes from an earlier call may be to blame, so once more from zero
                if not resumed:
                    raise
                pooch.retrieve(url, known, name, folder, downloader=resume)
    except requests.RequestException as error:
        if error.response is not None:
            problem = f"{url} answered {error.response.status_code} {error.response.reason}: try again later"
        elif part.exists() and (size := part.stat().st_size):
            problem = f"the download of {url} stopped after {size:,} bytes: run again to go on from there"
        else:
            mirror = os.environ.get("SIAMESE_OMNIGLOT_URL")
            setting = " and SIAMESE_OMNIGLOT_URL" if mirror and url.startswith(mirror.rstrip("/")) else ""
            problem = f"cannot reach {url} ({type(error).__name__}): check the network{setting}"
        raise DataError(f"{problem}, {instead}.") from error
    except ValueError as error:
        raise DataError(
            f"{url} sent something else than the published archive (MD5 {md5}): try again later, {instead}."
        ) from error
    except OSError as error:
        raise cannot_store(folder, error) from error
    return folder / name


def _refuse_planted(part: Path) -> None:
    """Raise DataError for what is no file of our own: bytes appended to it may end in another's."""
    try:
        found = part.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise DataError(f"{part} is a link or no common file, and a download would write through it: remove it.")


def cannot_store(folder: Path, error: OSError) -> DataError:
    """Make the error of a full disk, or of a folder that cannot be written."""
    return DataError(
        f"cannot store the data in {folder} ({error.strerror or error}): set SIAMESE_CACHE_DIR to a folder "
        "that can be written and has room: Omniglot takes 100 MB."
    )


def _resume(name: str, url: str, output_file: str, _: object) -> None:
    """Download for pooch, and go on where the last try stopped: NAME.part grows until complete."""
    part = Path(output_file).with_name(f"{name}.part")
    for attempt in range(TRIES):
        try:
            _append_rest(url, part)
            break
        except requests.RequestException as error:
            refused = error.response is not None and error.response.status_code < 500
            # ValueError: not a URL
            if refused or isinstance(error, ValueError) or attempt == TRIES - 1:
                raise
            time.sleep(PAUSE * 2**attempt)
    os.replace(part, output_file)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _append_rest(url: str, part: Path) -> None:
    """Ask for the bytes that `part` lacks and append them; start over where the server does not resume."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
        offered = response.headers.get("Content-Range", "")
        if response.status_code == 416 and offered == f"bytes */{have}":
            # nothing is missing
            return
        resumes = response.status_code == 206 and offered.startswith(f"bytes {have}-")
        # other bytes than these, or `part` is too long
        if not resumes and response.status_code in (206, 416):
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the server does not resume")
        response.raise_for_status()
        start = have if resumes else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        bar = tqdm(total=total, initial=start, desc=part.stem, unit="B", unit_scale=True, leave=False)
        with bar, open(part, "ab" if resumes else "wb", opener=_no_link) as file:
            # a chunk cut off is lost, so keep them small
            for chunk in response.iter_content(4096):
                bar.update(file.write(chunk))
    if total is not None and part.stat().st_size < total:
        raise requests.ConnectionError("the connection was dropped")
