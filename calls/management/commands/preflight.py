"""`manage.py preflight`: does everything stand that ACS needs?"""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from calls.preflight import CHECKS, Result, Status, run

MARKS = {
    Status.GREEN: "ok",
    Status.WARNING: "WARN",
    Status.RED: "RED",
    Status.UNKNOWN: "?",
}
TITLE_WIDTH = max(len(check.title) for check in CHECKS)


class Command(BaseCommand):
    """Looks, and changes nothing. Exit code 0 nothing red, 1 something red, 2 usage."""

    help = (
        "Check what ACS needs: that it reaches ingest and the webhooks under their"
        " public URLs, with certificates it trusts; that the clock is in step and the"
        " access key accepted; that Event Grid is subscribed; and that our own parts"
        " run. Each check tells in a sentence what it found and what to do. Exit code"
        " 0: nothing is red; 1: something is red; 2: wrong usage."
    )
    # It is here to tell what is wrong: wrong settings must not keep it from that.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only",
            action="append",
            choices=[check.name for check in CHECKS],
            metavar="NAME",
            default=[],
            help="only this check; may be given again. Names: "
            + ", ".join(check.name for check in CHECKS),
        )
        parser.add_argument(
            "--strict",
            action="store_true",
            help="exit with 1 also over warnings and what could not be told",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="one JSON object per check, and one with a member `summary`",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        only = options["only"]
        results: list[Result] = []
        for check in CHECKS:
            if only and check.name not in only:
                continue
            self._progress(f"checking {check.title} …")
            results.append(run(check))
            self._progress("")
            self._say(results[-1], as_json=options["json"])
        counts = {
            status: sum(result.outcome.status == status for result in results)
            for status in Status
        }
        self._sum_up(counts, sum(each.ms for each in results), as_json=options["json"])
        is_strict = options["strict"] and counts[Status.GREEN] < len(results)
        if counts[Status.RED] or is_strict:
            raise SystemExit(1)

    def _progress(self, text: str) -> None:
        """Show on a terminal what is under way; elsewhere nothing."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def _say(self, result: Result, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(result.as_json()))
            return
        outcome = result.outcome
        paint = {
            Status.GREEN: self.style.SUCCESS,
            Status.WARNING: self.style.WARNING,
            Status.RED: self.style.ERROR,
        }.get(outcome.status, str)
        mark = paint(f"{MARKS[outcome.status]:<4}")
        title = f"{result.check.title:<{TITLE_WIDTH}}"
        self.stdout.write(f"{mark}  {title}  {outcome.sentence}  ({result.ms} ms)")
        if outcome.advice:
            self.stdout.write(f"{'':{TITLE_WIDTH + 8}}→ {outcome.advice}")

    def _sum_up(self, counts: dict[Status, int], ms: int, *, as_json: bool) -> None:
        if as_json:
            summary = {status.value: count for status, count in counts.items()}
            self.stdout.write(json.dumps({"summary": summary | {"ms": ms}}))
            return
        told = [
            f"{counts[Status.GREEN]} green",
            f"{counts[Status.WARNING]} to be looked at",
            f"{counts[Status.RED]} red",
            f"{counts[Status.UNKNOWN]} could not be told",
        ]
        self.stdout.write(f"{', '.join(told)}; {ms / 1000:.1f} s.")
