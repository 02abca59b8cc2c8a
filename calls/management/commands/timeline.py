"""`manage.py timeline`: what happened to a call, on the terminal or as JSON."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from calls.audit.log import command_note
from calls.history import Entry, history_of, rows_of
from calls.history.export import timeline_of
from calls.models import AuditAction, Call


class Command(BaseCommand):
    """Prints the whole timeline. Exit code 0 done, 1 no such call, 2 wrong usage."""

    help = (
        "Print all that happened to a call, oldest first: commands, events of ACS,"
        " participants, sockets, streaming, recordings, and what staff did about it."
        " Times are in the server's time zone, in JSON in UTC. Raw events are in the"
        " JSON only. Exit code 0: done; 1: there is no such call; 2: wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "call",
            metavar="CALL_ID",
            help="our id, as in the address of the call's page, or ACS's call"
            " connection id",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="the same document as the console exports: see docs/timeline.md",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call = _call(options["call"])
        if options["json"]:
            timeline = timeline_of(call, now=timezone.now())
            text = json.dumps(timeline, indent=1)
        else:
            entries = history_of(rows_of(call)).entries
            text = "\n".join("".join(_line(entry)) for entry in entries)
        command_note(AuditAction.TIMELINE_EXPORTED, "timeline", call=call)
        self.stdout.write(text)


def _call(text: str) -> Call:
    wanted = Q(connection_id=text)
    # ACS's ids may look like ours, and need not.
    with suppress(ValueError):
        wanted |= Q(pk=UUID(text))
    call = Call.objects.filter(wanted).first()
    if call is None:
        raise CommandError(f"no such call: {text}", returncode=1)
    return call


def _line(entry: Entry) -> Iterator[str]:
    at = timezone.localtime(entry.at)
    yield f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"
    yield f"  {entry.kind:<11}  {entry.what}  [{entry.source}]"
    if entry.delay is not None:
        yield f"  received {entry.delay:+.3f} s later"
    if entry.why:
        yield f"  because: {entry.why}"
    if entry.told:
        yield f"  {entry.told}"
    for name, value in entry.details.items():
        yield f"  {name}={value}"
