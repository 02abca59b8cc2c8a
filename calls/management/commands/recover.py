"""`manage.py recover`: journals into rows and recordings."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from calls.formats import seconds, size
from calls.journals.recovery import Recovered, journals_recover
from calls.journals.rescue import NodeLivesError, journals_rescue, node_must_be_lost
from calls.journals.rolling import parts_remove


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
            "--from-storage",
            metavar="NODE",
            help="first fetch what this node, which is lost, had copied to the storage"
            " of its running calls (ACSSTREAM_ROLLING_MINUTES); refused while a process"
            " of it lives",
        )
        parser.add_argument(
            "--json", action="store_true", help="one JSON object per call"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        failed = calls = 0
        if node := options["from_storage"]:
            self._rescue(node, as_json=options["json"])
        for done in journals_recover(settings.JOURNAL_DIR):
            calls += 1
            failed += not done.is_ok
            if done.call_id:
                # With the database gone, nobody else knows of these.
                parts_remove(done.call_id, is_sure=True)
            self.stdout.write(_as_json(done) if options["json"] else _in_words(done))
        if not calls and not options["json"]:
            self.stdout.write("No journals to recover.")
        if failed:
            raise SystemExit(1)

    def _rescue(self, node: str, *, as_json: bool) -> None:
        try:
            node_must_be_lost(node, timezone.now())
        except NodeLivesError as exc:
            raise CommandError(f"not lost: {exc}", returncode=2) from exc
        for found in journals_rescue(node, settings.JOURNAL_DIR):
            if not as_json:
                told = f"{found.call_id}: {size(found.size)} of a journal fetched"
                self.stdout.write(told)


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
