"""Files in the recordings storage that no row names."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from calls.journals.rolling import socket_of
from calls.models import Connection, Prompt, Recording
from calls.storage import recording_changed_at, recordings_list
from calls.verification.findings import About, Finding

log = logging.getLogger(__name__)

# A recording is stored before its row is.
YOUNG = timedelta(minutes=5)
# Names asked about in one query.
AT_ONCE = 200


def orphans_verify(now: datetime) -> Iterator[Finding]:
    """Yield the files that no row names and that are older than a few minutes.

    Nothing for a storage that cannot list its files. Folder by folder: as many names
    are held as one folder has.
    """
    try:
        for names in recordings_list():
            for start in range(0, len(names), AT_ONCE):
                yield from _unnamed(names[start : start + AT_ONCE], now)
    except NotImplementedError:
        return
    except Exception as exc:
        # An edge: every storage has errors of its own.
        log.debug("recordings cannot be listed", exc_info=True)
        about = About(None, "storage", "recordings")
        reason = str(exc) or type(exc).__name__
        yield about.error("storage-unlisted", f"it cannot be listed: {reason}")


def _unnamed(names: Sequence[str], now: datetime) -> Iterator[Finding]:
    rows = Recording.objects.order_by().filter(
        Q(audio__in=names)
        | Q(peaks__in=names)
        | Q(manifest__in=names)
        | Q(leftovers__in=names)
    )
    named: set[str] = set()
    for of_row in rows.values_list("audio", "peaks", "manifest", "leftovers"):
        named.update(of_row)
    sockets = Connection.objects.order_by().filter(leftovers__in=names)
    named.update(sockets.values_list("leftovers", flat=True))
    prompts = Prompt.objects.filter(Q(audio_16k__in=names) | Q(audio_24k__in=names))
    for of_prompt in prompts.order_by().values_list("audio_16k", "audio_24k"):
        named.update(of_prompt)
    named.update(_parts_of_journals(names))
    for name in names:
        if name not in named and not _is_young(name, now):
            about = About(None, "file", name)
            yield about.error("file-unnamed", "no row names this file")


def _parts_of_journals(names: Sequence[str]) -> Iterator[str]:
    """Yield the parts of journals that are not in recordings yet, or go any moment."""
    parts = [(socket, name) for name in names if (socket := socket_of(name))]
    known = set(
        Connection.objects.order_by()
        .filter(pk__in={socket for socket, _ in parts}, rolled_at__isnull=False)
        .values_list("pk", flat=True)
    )
    yield from (name for socket, name in parts if socket in known)


def _is_young(name: str, now: datetime) -> bool:
    try:
        return now - recording_changed_at(name) < YOUNG
    except FileNotFoundError:
        # Removed meanwhile.
        return True
    except NotImplementedError:
        return False
