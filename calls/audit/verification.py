"""Looks whether the audit log's chain is whole: in the database, or in an export.

It reads and never mends. What it finds says which entry, by its place in the chain and
its key. `docs/audit.md` has what a chain can show and what it cannot.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from calls.audit.chain import START, Head, digest_of, hash_of

Kind = Literal["changed", "missing", "inserted", "reordered", "cut", "replaced"]
# Findings that are kept; more are counted. A log with so many is not read one by one.
MOST = 200


@dataclass(frozen=True, slots=True)
class Row:
    """An entry's place and what is in it; None: the entry is gone."""

    sequence: int
    entry_id: int
    previous: str
    hash: str
    facts: Mapping[str, Any] | None

    @property
    def head(self) -> Head:
        """The place in the chain that it claims."""
        return Head(self.sequence, self.hash)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written."""

    kind: Kind
    sequence: int | None
    entry_id: int | None
    words: str

    def as_json(self) -> dict[str, object]:
        """Return it for machines."""
        return {
            "finding": self.kind,
            "sequence": self.sequence,
            "id": self.entry_id,
            "words": self.words,
        }


@dataclass(slots=True)
class Walk:
    """A walk along the chain, from what is known to be right: `after`.

    Give it every row, in the chain's order, and then `end` it. `anchors` are heads that
    were kept elsewhere, by their places. A chain `with_holes` is part of a log: of what
    is between its rows nothing is said.
    """

    after: Head = START
    anchors: Mapping[int, str] = field(default_factory=dict)
    with_holes: bool = False
    entries: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)
    _misfits: list[tuple[Row, str]] = field(default_factory=list)
    _last: Head = START
    _is_misfit: bool = False

    def __post_init__(self) -> None:
        self._last = self.after

    @property
    def head(self) -> Head:
        """The last place that was walked over."""
        return self._last

    def take(self, row: Row) -> None:
        """Look at the next row."""
        if row.sequence <= self._last.sequence:
            words = f"entry {row.sequence} comes after entry {self._last.sequence}"
            self._find("reordered", row.sequence, row.entry_id, words)
            return
        self.entries += 1
        is_next = row.sequence == self._last.sequence + 1
        if not is_next and not self.with_holes:
            self._gap(row.sequence)
        fits = self._fits(row)
        if is_next and row.previous != self._last.hash and fits and not self._is_misfit:
            self._replaced(row)
        self._anchor(row)
        self._last, self._is_misfit = row.head, not fits

    def end(self) -> list[Finding]:
        """Return what was found, in the chain's order."""
        self._sort_misfits()
        for sequence, _ in sorted(self.anchors.items()):
            if sequence > self._last.sequence and not self.with_holes:
                self._cut(sequence)
                break
        self.findings.sort(key=lambda one: (one.sequence is None, one.sequence or 0))
        return self.findings

    def outside(self, entry_id: int) -> None:
        """Say that an entry has no place in the chain."""
        words = f"entry with id {entry_id} has no place in the chain: inserted by hand"
        self._find("inserted", None, entry_id, words)

    def _fits(self, row: Row) -> bool:
        """Say whether a row's hash is that of what is in it."""
        if row.facts is None:
            words = f"entry {row.sequence} (id {row.entry_id}) was deleted"
            self._find("missing", row.sequence, row.entry_id, words)
            return True
        digest = _digest(row.facts)
        if hash_of(row.sequence, row.entry_id, row.previous, digest) == row.hash:
            return True
        self.found += 1
        if len(self._misfits) < MOST:
            self._misfits.append((row, digest))
        return False

    def _gap(self, until: int) -> None:
        first, last = self._last.sequence + 1, until - 1
        which = f"entry {first}" if first == last else f"entries {first} to {last}"
        self._find("missing", first, None, f"{which}: not there")

    def _replaced(self, row: Row) -> None:
        place = self._last.sequence
        words = (
            f"entry {place} is not the one that entry {row.sequence} was chained to"
            if place
            else f"entry {row.sequence} does not begin the chain"
        )
        self._find("replaced", place or row.sequence, None, words)

    def _anchor(self, row: Row) -> None:
        kept = self.anchors.get(row.sequence)
        if kept is not None and kept != row.hash:
            words = (
                f"entry {row.sequence} has another hash than the head that was kept:"
                " it, or something before it, was rewritten"
            )
            self._find("replaced", row.sequence, row.entry_id, words)

    def _cut(self, sequence: int) -> None:
        words = (
            f"the log ends with entry {self._last.sequence}, and the head that was kept"
            f" is entry {sequence}: the last entries were removed"
        )
        self._find("cut", self._last.sequence + 1, None, words)

    def _sort_misfits(self) -> None:
        """Tell entries that stand in another's place from entries that were changed."""
        for row, digest in self._misfits:
            self.found -= 1
            other = next((o for o in self._misfits if _swapped(row, digest, *o)), None)
            if other is None:
                words = f"entry {row.sequence} (id {row.entry_id}) was changed"
                self._find("changed", row.sequence, row.entry_id, words)
                continue
            words = (
                f"entry {row.sequence} (id {row.entry_id}) changed places with entry"
                f" {other[0].sequence}"
            )
            self._find("reordered", row.sequence, row.entry_id, words)

    def _find(
        self, kind: Kind, sequence: int | None, entry_id: int | None, words: str
    ) -> None:
        self.found += 1
        if len(self.findings) < MOST:
            self.findings.append(Finding(kind, sequence, entry_id, words))


def _digest(facts: Mapping[str, Any]) -> str:
    """Return the digest of what an entry holds now; no digest of what is no entry."""
    try:
        return digest_of(facts)
    except (ValueError, KeyError, TypeError):
        return ""


def _swapped(row: Row, digest: str, other: Row, others: str) -> bool:
    """Say whether a row's hash is right at the other's place, or with its content."""
    if other is row:
        return False
    moved = hash_of(other.sequence, row.entry_id, row.previous, digest) == row.hash
    keys = (row.entry_id, other.entry_id)
    return moved or any(
        hash_of(row.sequence, key, row.previous, others) == row.hash for key in keys
    )


def walk_all(
    walk: Walk, rows: Iterable[Row], progress: Callable[[int], None] = lambda _: None
) -> Walk:
    """Take all rows; tell `progress` now and then how many it were."""
    for row in rows:
        walk.take(row)
        if walk.entries % 1000 == 0:
            progress(walk.entries)
    return walk


def walk_lines(walk: Walk, lines: Iterable[Mapping[str, Any]]) -> Walk:
    """Walk along an export's entries. Raises `ValueError` for what is none."""
    for number, line in enumerate(lines, 1):
        try:
            if line["sequence"] is None:
                walk.outside(int(line["id"]))
            else:
                walk.take(row_of(line))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"line {number} is no chained audit entry") from None
    walk.end()
    return walk


def row_of(line: Mapping[str, Any]) -> Row:
    """Return the row of an export's line. Raises for what is no such line."""
    return Row(
        int(line["sequence"]),
        int(line["id"]),
        str(line["previous"]),
        str(line["hash"]),
        line,
    )
