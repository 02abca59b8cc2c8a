"""The timeline of a call: all that happened, in one list, oldest first.

What belongs on it is a source: a function from the call's rows to entries. A new kind
of thing is one more line of `SOURCES`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from calls.history.alarms import alarm_entries
from calls.history.commands import command_entries
from calls.history.entries import Entry, EntryJson, EntryKind
from calls.history.events import event_entries, participant_entries
from calls.history.life import audit_entries, call_entries
from calls.history.media import (
    connection_entries,
    recording_entries,
    streaming_entries,
)
from calls.history.rows import CallRows, rows_of
from calls.history.spoken import spoken_entries
from calls.history.tones import tone_entries

__all__ = [
    "SHOWN",
    "SOURCES",
    "CallRows",
    "Entry",
    "EntryJson",
    "EntryKind",
    "History",
    "history_of",
    "rows_of",
]

# A call's page stays a page, however chatty ACS was.
SHOWN = 300

Source = Callable[[CallRows], Iterator[Entry]]
# Of one moment, what causes comes before what follows.
SOURCES: tuple[Source, ...] = (
    call_entries,
    command_entries,
    event_entries,
    participant_entries,
    tone_entries,
    connection_entries,
    streaming_entries,
    spoken_entries,
    recording_entries,
    alarm_entries,
    audit_entries,
)


@dataclass(frozen=True, slots=True)
class History:
    """Entries, oldest first, and at least how many older ones are not among them."""

    entries: Sequence[Entry]
    hidden: int = 0


def history_of(rows: CallRows, *, limit: int | None = None) -> History:
    """Return what happened to a call; with a limit, the newest of it.

    Rows that were read with the same limit are enough: the newest of all are among the
    newest of each source.
    """
    entries = [entry for source in SOURCES for entry in source(rows)]
    entries.sort(key=lambda entry: entry.at)
    shown = entries if limit is None else entries[-limit:]
    return History(shown, hidden=len(entries) - len(shown) + rows.unread)
