"""`manage.py recover`: journals into rows and recordings."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from calls.formats import seconds
from calls.recovery import Recovered, journals_recover


class Command(BaseCommand):
    """Finishes what a dead process left. Exit code 1 if something could not be.

    A call with an open socket is left alone and is no failure.
    """

    help = (
        "Make calls, tracks, chunks and verified recordings from the journals that no"
        " process writes any more. Needs only the journals; safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="one JSON object per call"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        failed = calls = 0
        for done in journals_recover(settings.JOURNAL_DIR):
            calls += 1
            failed += not done.is_ok
            self.stdout.write(_as_json(done) if options["json"] else _in_words(done))
        if not calls and not options["json"]:
            self.stdout.write("No journals to recover.")
        if failed:
            raise SystemExit(1)


def _as_json(done: Recovered) -> str:
    return json.dumps(
        {
            "call": str(done.call_id) if done.call_id else None,
            "journals": done.journals,
            "packets": done.packets,
            "recordings": done.recordings,
            "problem": done.problem,
            "live": done.is_live,
            "torn": done.torn,
            "lost_seconds": done.lost_seconds,
        }
    )


def _in_words(done: Recovered) -> str:
    if done.problem:
        return f"{done.call_id or 'a file'}: {done.problem}"
    told = (
        f"{done.call_id}: {done.packets} packets from {done.journals} journals"
        f" in {done.recordings} verified recordings"
    )
    if not done.torn:
        return told
    return f"{told}; {done.torn} ended without a seal, {_cost(done.lost_seconds)}"


def _cost(lost: float | None) -> str:
    if lost is None:
        return "nothing came after them"
    return f"{seconds(lost)} missing behind them" if lost else "nothing lost"
