"""What lies in a journal folder and waits to be made into recordings."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from calls.journals.format import SUFFIX
from calls.journals.reading import is_live


@dataclass(frozen=True, slots=True)
class JournalBacklog:
    """Journals that nobody writes any more. `oldest_at`: seconds since 1970."""

    waiting: int
    size: int
    oldest_at: float | None


def journal_backlog(folder: Path) -> JournalBacklog:
    """Look through a folder. It opens every file: call it from a thread."""
    waiting, size = 0, 0
    oldest: float | None = None
    for path in folder.glob(f"*{SUFFIX}"):
        # A finisher may remove it meanwhile.
        with suppress(FileNotFoundError):
            if is_live(path):
                continue
            facts = path.stat()
            waiting, size = waiting + 1, size + facts.st_size
            oldest = min(oldest or facts.st_mtime, facts.st_mtime)
    return JournalBacklog(waiting, size, oldest)
