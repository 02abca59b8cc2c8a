"""`manage.py verify_audit`: is the audit log as it was written?"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls.audit.chain import Head
from calls.audit.head import head_now, log_verify
from calls.audit.verification import Finding, Walk, walk_lines
from calls.management.progress import Progress

USAGE = 2
NO_HEAD = "the file has no last line with the chain's head: its end is missing"


class Command(BaseCommand):
    """Looks, and mends nothing. Exit code 0 intact, 1 findings, 2 wrong usage."""

    help = (
        "Verify the audit log: that no entry was changed, removed, inserted or moved"
        " since it was written, by the chain of hashes that docs/audit.md describes."
        " What was removed at the end, or rewritten as a whole, shows against a head"
        " that was kept elsewhere: keep one with --write-head, give it with --head."
        " With --file an export in JSON lines is verified, and no database is asked."
        " Exit code 0: intact; 1: something is not as it was written; 2: wrong usage."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--file",
            type=Path,
            metavar="FILE",
            help="an export of the audit log in JSON lines; with filters, its entries"
            " are verified one by one, and of what is between them nothing is said",
        )
        parser.add_argument(
            "--head",
            type=Path,
            metavar="FILE",
            help="heads that were kept: a JSON object with sequence and hash on each"
            " line, as --write-head writes them; an export will do too",
        )
        parser.add_argument(
            "--write-head",
            type=Path,
            metavar="FILE",
            help="add the log's head to this file, if the log is intact",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="one JSON object per finding, and one with a member `summary`",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        anchors = heads_in(options["head"]) if options["head"] else {}
        walk = (
            file_verify(options["file"], anchors)
            if options["file"]
            else stored_verify(anchors)
        )
        for finding in walk.findings:
            self._say(finding, as_json=options["json"])
        self._sum_up(walk, is_part=walk.with_holes, as_json=options["json"])
        if walk.found:
            raise SystemExit(1)
        if options["write_head"]:
            head_write(options["write_head"], walk.head)

    def _say(self, finding: Finding, *, as_json: bool) -> None:
        words = json.dumps(finding.as_json()) if as_json else finding.words
        self.stdout.write(words)

    def _sum_up(self, walk: Walk, *, is_part: bool, as_json: bool) -> None:
        head = walk.head
        if as_json:
            summary = {
                "intact": not walk.found,
                "entries": walk.entries,
                "findings": walk.found,
                "is_part": is_part,
                "head": {"sequence": head.sequence, "hash": head.hash},
            }
            self.stdout.write(json.dumps({"summary": summary}))
            return
        verdict = "Intact" if not walk.found else "NOT INTACT"
        whole = ", part of the log" if is_part else ""
        self.stdout.write(
            f"{verdict}: {walk.entries} entries{whole}, {walk.found} findings;"
            f" the head is {head.sequence} {head.hash}."
        )


def stored_verify(anchors: Mapping[int, str]) -> Walk:
    """Verify the log in the database."""
    progress = Progress(head_now().sequence, "entries")
    walk = log_verify(Walk(anchors=anchors), progress)
    progress.clear()
    return walk


def file_verify(path: Path, anchors: Mapping[int, str]) -> Walk:
    """Verify an export. Raises `CommandError` for a file that is none."""
    last = next(iter(deque(objects_in(path), maxlen=1)), {})
    is_ended = "audit_head" in last
    if is_ended:
        head = head_of(last, path)
        anchors = {head.sequence: head.hash, **anchors} if head.sequence else anchors
    walk = Walk(anchors=anchors, with_holes=bool(last.get("filters")))
    entries = (each for each in objects_in(path) if "audit_head" not in each)
    try:
        walk_lines(walk, entries)
    except ValueError as exc:
        raise CommandError(f"{path}: {exc}", returncode=USAGE) from None
    if not is_ended:
        walk.found += 1
        walk.findings.append(Finding("cut", None, None, NO_HEAD))
    return walk


def heads_in(path: Path) -> dict[int, str]:
    """Return the heads kept in a file, by place; of an export its last line."""
    kept: Iterable[Mapping[str, Any]] = list(objects_in(path))
    if ends := [each for each in kept if "audit_head" in each]:
        kept = ends
    heads = [head_of(each, path) for each in kept]
    if not heads:
        raise CommandError(f"{path}: there is no head in it", returncode=USAGE)
    return {head.sequence: head.hash for head in heads if head.sequence}


def head_of(line: Mapping[str, Any], path: Path) -> Head:
    """Return the head that a line tells of."""
    told = line.get("audit_head", line)
    try:
        return Head(int(told["sequence"]), str(told["hash"]))
    except (KeyError, TypeError, ValueError):
        raise CommandError(f"{path}: no head of a chain", returncode=USAGE) from None


def head_write(path: Path, head: Head) -> None:
    """Add a head to a file of them."""
    line = json.dumps({"sequence": head.sequence, "hash": head.hash})
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror}", returncode=USAGE) from None


def objects_in(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a file of JSON lines."""
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):  # noqa: B007 told below
                told = json.loads(line)
                if not isinstance(told, dict):
                    raise ValueError("no object")
                yield told
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror}", returncode=USAGE) from None
    except ValueError:
        words = f"{path}: line {number} is no JSON object"
        raise CommandError(words, returncode=USAGE) from None
