"""Zips that are written while they are sent."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest

from calls.export import ZipEntry, zip_blocks
from calls.export.zipped import Failed

NOON = datetime(2026, 3, 1, 12, 0, 6, tzinfo=UTC)


def broken(after: int) -> Iterator[bytes]:
    """Yield some blocks and fail."""
    for _ in range(after):
        yield b"block"
    raise OSError("the disk is gone")


def opened(
    entries: Iterable[ZipEntry], failed: Failed | None = None
) -> zipfile.ZipFile:
    blocks = zip_blocks(entries, failed)
    return zipfile.ZipFile(io.BytesIO(b"".join(blocks)))


def test_holds_every_file_as_it_was_given() -> None:
    zipped = opened(
        [
            ZipEntry("call/a.flac", [b"fLaC", b"\0" * 70_000], NOON),
            ZipEntry("call/facts.json", [b"{}"], NOON, is_text=True),
            ZipEntry("empty.txt", [], NOON),
        ]
    )
    assert zipped.testzip() is None
    assert zipped.read("call/a.flac") == b"fLaC" + b"\0" * 70_000
    assert zipped.read("call/facts.json") == b"{}"
    assert zipped.read("empty.txt") == b""


def test_stores_audio_and_deflates_text() -> None:
    zipped = opened(
        [
            ZipEntry("a.flac", [b"x" * 1000], NOON),
            ZipEntry("a.json", [b"x" * 1000], NOON, is_text=True),
        ]
    )
    stored, deflated = zipped.infolist()
    assert (stored.compress_type, stored.compress_size) == (zipfile.ZIP_STORED, 1000)
    assert deflated.compress_type == zipfile.ZIP_DEFLATED
    assert deflated.compress_size < 100
    assert stored.date_time == (2026, 3, 1, 12, 0, 6)


@pytest.mark.parametrize("year", [1970, 2200])
def test_takes_years_that_a_zip_cannot_tell(year: int) -> None:
    [info] = opened([ZipEntry("a", [b"x"], NOON.replace(year=year))]).infolist()
    assert info.date_time[0] in (1980, 2107)


def test_reads_no_entry_before_its_turn() -> None:
    begun = []

    def blocks(name: str) -> Iterator[bytes]:
        begun.append(name)
        yield b"x" * 10

    sent = zip_blocks(
        ZipEntry(name, blocks(name), NOON) for name in ("first", "second")
    )
    next(sent)
    assert begun == ["first"]
    assert b"".join(sent)
    assert begun == ["first", "second"]


def test_hands_a_block_on_before_it_asks_for_the_next() -> None:
    """Memory holds one block, however large the entry is."""
    waiting = 0
    most = 0

    def blocks() -> Iterator[bytes]:
        nonlocal waiting, most
        for _ in range(100):
            waiting += 1000
            most = max(most, waiting)
            yield b"x" * 1000

    for sent in zip_blocks([ZipEntry("large", blocks(), NOON)]):
        waiting -= min(len(sent), waiting)
    assert most <= 2000


def test_leaves_out_what_cannot_be_opened_and_goes_on() -> None:
    told: list[tuple[str, str]] = []

    def entries() -> Iterator[ZipEntry]:
        yield ZipEntry("gone.flac", broken(0), NOON)
        yield ZipEntry("ERROR.txt", [told[0][1].encode()], NOON, is_text=True)
        yield ZipEntry("there.flac", [b"fLaC"], NOON)

    zipped = opened(
        entries(),
        lambda entry, exc: told.append((entry.name, str(exc))),
    )
    assert zipped.testzip() is None
    assert zipped.namelist() == ["ERROR.txt", "there.flac"]
    assert told == [("gone.flac", "the disk is gone")]


def test_keeps_what_came_of_a_file_that_breaks_off() -> None:
    told: list[str] = []
    zipped = opened(
        [ZipEntry("half.flac", broken(2), NOON), ZipEntry("b", [b"b"], NOON)],
        lambda entry, _: told.append(entry.name),
    )
    assert zipped.testzip() is None
    assert zipped.read("half.flac") == b"blockblock"
    assert zipped.read("b") == b"b"
    assert told == ["half.flac"]


def test_raises_if_nobody_wants_to_know() -> None:
    with pytest.raises(OSError, match="disk"):
        opened([ZipEntry("a", broken(1), NOON)])


def test_says_beforehand_that_an_entry_is_larger_than_2_gib() -> None:
    """Zip64 fields are announced in the header, before the size is known."""
    small = b"".join(zip_blocks([ZipEntry("a", [b"x"], NOON, size=1)]))
    large = b"".join(zip_blocks([ZipEntry("a", [b"x"], NOON, size=3 << 30)]))
    # APPNOTE.TXT 4.4.3: version 4.5 is needed for Zip64.
    assert (small[4], large[4]) == (20, 45)
    assert zipfile.ZipFile(io.BytesIO(large)).read("a") == b"x"
