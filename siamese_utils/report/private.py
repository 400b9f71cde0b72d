"""Where a user's files lie is private: folders leave what a notebook put out, however they are spelled there.

A path in the project, among its results or in Python's own folder is kept from there on. Of one in a home, among
temporary files, or beside a file that the user named, the file's name is kept; "…" stands for such a folder itself.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from html.entities import codepoint2name
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ..paths import data_dir, project_root, reports_dir

SEPARATOR = r"(?:\\*/|%2[Ff]|\\+)"
# of a name, where no quotes say where it ends
LETTER = r"[^\s'\"`<>|:;,()\[\]{}\x1b/\\]"
# a path may follow a colour, a line's end that is written out, or a compiler's option
BEGINS = r"(?:(?<![\w~.-])|(?<=\dm)|(?<=\\[nrt])|(?<=-[IL]))"
ENDS = r"(?![\w-])"
# where disks of other machines are put
MOUNTED = r"/(?:mnt|media|exports?|data\d*|nfs|net|network|afs|gpfs|lustre|beegfs|cluster|storage|srv|vol\w*|Volumes)"
# the homes of others, and the temporary files of macOS
ELSEWHERE = (
    rf"(?:{MOUNTED}(?:/{LETTER}+)??)?/(?:homes?|[Uu]sers)/{LETTER}+",
    rf"/scratch/{LETTER}+",
    rf"[A-Za-z]:[/\\]+Users[/\\]+{LETTER}+",
    r"(?:/private)?/var/folders",
)
PACKAGES = re.compile(r"(?:site|dist)-packages[/\\]")


def forget_folders(content: Any, files: Iterable[Path] = ()) -> Any:
    """Take private folders out of a text, or of the content of a notebook; pictures are left as they are.

    files  that the user named: their folders are private too
    """
    files = list(files)
    private = [Path(tempfile.gettempdir()), Path("/tmp"), *(file.parent for file in files)]
    with suppress(RuntimeError):
        private.append(Path.home())
    groups = [tuple(_every(group)) for group in (files, _ours(), private)]
    # the words of a cell say ~ for the home of whoever reads them
    return _forget(content, _pattern(*groups, os.path.expanduser("~")), _pattern(*groups, ""))


def _forget(content: Any, pattern: re.Pattern[str], of_source: re.Pattern[str]) -> Any:
    if isinstance(content, str):
        return pattern.sub(_shortened, content)
    if isinstance(content, list):
        return [_forget(each, pattern, of_source) for each in content]
    if isinstance(content, dict):
        found = {}
        for name, value in content.items():
            is_picture = name.startswith("image/") and name != "image/svg+xml"
            chosen = of_source if name == "source" else pattern
            found[name] = value if is_picture else _forget(value, chosen, of_source)
        return found
    return content


def _shortened(match: re.Match[str]) -> str:
    if match["file"]:
        return re.split(r"[/\\]|%2[Ff]", match["file"])[-1]
    if match["kept"]:
        return "" if match["inside"] else "."
    tail = match["quoted"] or match["placed"] or match["plain"] or ""
    if packages := PACKAGES.search(tail):
        return tail[packages.start() :]
    return next((part for part in reversed(re.split(r"[/\\]+|%2[Ff]", tail)) if part), "…")


def _ours() -> Iterator[Path]:
    """List the folders whose inside is not private: the project, results, data, Python's own."""
    root = project_root()
    yield from (root, reports_dir(), data_dir(), Path(sys.prefix))
    for name in ("SIAMESE_HOME", "SIAMESE_REPORTS_DIR", "SIAMESE_CACHE_DIR", "PWD"):
        folder = Path(os.environ.get(name) or root).expanduser()
        # where a shell is matters if it went into the project by a link
        if name != "PWD" or folder.resolve().is_relative_to(root):
            yield folder


def _every(paths: Iterable[Path]) -> Iterator[str]:
    """List the paths as given and with links followed, the longest first; a root alone would be every path."""
    spelled = {str(found) for path in paths for found in (path.absolute(), path.resolve()) if len(found.parts) > 1}
    yield from sorted(spelled, key=len, reverse=True)


@lru_cache
def _pattern(files: tuple[str, ...], ours: tuple[str, ...], private: tuple[str, ...], home: str) -> re.Pattern[str]:
    """Make a pattern for all of the paths; home: of which ~ is another name, "" for none."""

    def any_of(paths: Iterable[str]) -> str:
        paths = list(paths)
        short = [f"~{path.removeprefix(home)}" for path in paths if home and path.startswith(home + os.sep)]
        # a short path stands in many an address
        starts = ("" if len(Path(path).parts) > 2 and path[0] != "~" else BEGINS for path in (*paths, *short))
        return "|".join(map(str.__add__, starts, map(_spelled, (*paths, *short)))) or "(?!)"

    tilde = [rf"~(?=[/\\]{LETTER})"] if home else []
    hidden = f"(?:{'|'.join([any_of(private), *(BEGINS + each for each in (*ELSEWHERE, *tilde))])}){ENDS}"
    return re.compile(
        # how any of them begins: most letters of a text are passed over at once
        r"(?=[/\\%~]|[A-Za-z][:%&\\]|file:)"
        r"(?:file:(?://)?)?(?:"
        rf"(?P<file>{any_of(files)}){ENDS}"
        rf"|(?P<kept>{any_of(ours)}){ENDS}(?P<inside>{SEPARATOR}(?={LETTER}))?"
        # in quotes, up to them; in a traceback, up to the line's number; else up to the next space
        rf"|(?<=(?P<quote>['\"])){hidden}(?: [^'\"\n\x1b<>/\\]*(?={SEPARATOR}))?"
        rf"(?P<quoted>(?:{SEPARATOR}[^'\"\n\x1b<>]*?)?)(?=\\*(?P=quote))"
        rf"|{hidden}(?P<placed>{SEPARATOR}[^'\"\n\x1b<>:]*?\.\w+)(?=:\d)"
        rf"|{hidden}(?P<plain>(?:{SEPARATOR}{LETTER}+)*)"
        r")"
    )


def _spelled(path: str) -> str:
    """Make a pattern for a path as JSON, Python, addresses and HTML write it, its letters composed or not."""
    return "".join(
        "(?:" + "|".join(dict.fromkeys("".join(map(_character, form)) for form in (c, normalize("NFD", c)))) + ")"
        for c in normalize("NFC", path)
    )


def _character(letter: str) -> str:
    if letter.isascii() and letter.isalnum():
        return letter
    if letter in "/\\":
        return SEPARATOR
    number, utf8 = ord(letter), letter.encode("utf-8", "surrogatepass")
    utf16 = letter.encode("utf-16-be", "surrogatepass")
    forms = [
        rf"\\+u{number:04x}" if number < 2**16 else rf"\\+U{number:08x}",
        "".join(rf"\\+u{utf16[at : at + 2].hex()}" for at in range(0, len(utf16), 2)),
        rf"\\+x{number:02x}",
        "".join(f"%{byte:02x}" for byte in utf8),
        "".join(rf"\\+x{byte:02x}" for byte in utf8),
        rf"&\#(?:0*{number}|x0*{number:x});",
        *([f"&{codepoint2name[number]};"] if number in codepoint2name else []),
    ]
    return f"(?:{re.escape(letter)}|(?i:{'|'.join(forms)}))"
