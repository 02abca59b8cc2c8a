"""`manage.py verify_archive`: rows against bytes."""

import argparse
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from calls import formats
from calls.management.progress import Progress
from calls.models import Call
from calls.verification import Finding, Scope, Verification

USAGE = 2


class Command(BaseCommand):
    """Looks, and mends nothing. Exit code 0 clean, 1 findings, 2 wrong usage."""

    help = (
        "Compare what the rows say with what is stored: every recording is decoded and"
        " its SHA-256 compared, every figure summed up from ledgers and chunks, every"
        " journal looked for, and every file in storage asked who names it. Nothing is"
        " changed. Journals are looked at on this node only. What is not finished yet"
        " is told and is no error. Exit code 0: clean; 1: errors were found; 2: wrong"
        " usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--call",
            action="append",
            type=_call_id,
            default=[],
            metavar="ID",
            help="only this call (our id, as in the address of its page) and its"
            " journals; may be given again",
        )
        parser.add_argument(
            "--since",
            type=_moment,
            metavar="DATE",
            help="only calls that rang since then: 2026-03-01 or 2026-03-01T12:00,"
            " in the server's time zone unless it names its own; neither journals nor"
            " files that no row names are looked for",
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="rows, and whether the files are there and as long as they should be;"
            " decode and read nothing",
        )
        parser.add_argument(
            "--strict",
            action="store_true",
            help="exit with 1 also over calls that are not finished yet",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="one JSON object per finding, and one with a member `summary`",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scope = Scope(options["call"], options["since"], options["quick"])
        _refuse_unknown(scope)
        total = scope.select().count()
        progress = Progress(total, "calls")
        work = Verification(scope, timezone.now(), progress)
        for finding in work.findings():
            progress.clear()
            self._say(finding, as_json=options["json"])
        progress.clear()
        looked = work.looked
        is_clean = not looked.errors and not (options["strict"] and looked.pending)
        self._sum_up(work, is_clean=is_clean, as_json=options["json"])
        if not is_clean:
            raise SystemExit(1)

    def _say(self, finding: Finding, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(finding.as_json()) if as_json else str(finding))

    def _sum_up(self, work: Verification, *, is_clean: bool, as_json: bool) -> None:
        looked = work.looked
        if as_json:
            summary = {
                "clean": is_clean,
                "quick": work.scope.is_quick,
                "calls": looked.calls,
                "recordings": looked.recordings,
                "audio_seconds": round(looked.audio_seconds, 3),
                "journals": looked.journals,
                "errors": looked.errors,
                "pending": looked.pending,
            }
            self.stdout.write(json.dumps({"summary": summary}))
            return
        verdict = "Clean" if is_clean else "NOT CLEAN"
        done = "looked for" if work.scope.is_quick else "decoded"
        self.stdout.write(
            f"{verdict}: {looked.calls} calls, {looked.recordings} recordings"
            f" ({formats.clock(looked.audio_seconds)} of audio) {done},"
            f" {looked.journals} journals on this node;"
            f" {looked.errors} errors, {looked.pending} not finished yet."
        )


def _refuse_unknown(scope: Scope) -> None:
    known = set(Call.objects.filter(pk__in=scope.calls).values_list("pk", flat=True))
    if unknown := [str(one) for one in scope.calls if one not in known]:
        raise CommandError(f"no such call: {', '.join(unknown)}", returncode=USAGE)


def _call_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no id of a call") from None


def _moment(text: str) -> datetime:
    """Return a date's first moment, or a moment, in the server's time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        words = f"{text!r} is no date, such as 2026-03-01"
        raise argparse.ArgumentTypeError(words) from None
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
