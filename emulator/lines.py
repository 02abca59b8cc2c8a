"""What is said in an audio file, in words, and when."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Word(NamedTuple):
    """One word; `at` is in seconds from the beginning of the file."""

    text: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody says in one go."""

    at: float
    seconds: float
    text: str
    words: tuple[Word, ...]


class LinesError(Exception):
    """A file of lines that cannot be used; the message says why."""


def lines_beside(audio: Path) -> tuple[Line, ...]:
    """Return the lines in the JSON file beside an audio file; none if it has none.

    `{"lines": [{"at", "seconds", "text", "words": [[text, at, seconds], …]}, …]}`, in
    order of time. Raises `LinesError`.
    """
    path = audio.with_suffix(".json")
    if not path.is_file():
        return ()
    try:
        found = json.loads(path.read_text())["lines"]
        lines = [
            Line(
                float(each["at"]),
                float(each["seconds"]),
                str(each["text"]),
                tuple(Word(str(t), float(a), float(s)) for t, a, s in each["words"]),
            )
            for each in found
        ]
    except (ValueError, KeyError, TypeError) as exc:
        raise LinesError(f"{path}: not lines that can be read: {exc!r}") from exc
    return tuple(sorted(lines, key=lambda line: line.at))
