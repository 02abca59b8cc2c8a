import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.instants import instant, microseconds
from calls.journals.format import (
    CRC,
    HEADER_FIXED,
    MAGIC,
    JournalError,
    decode_header,
    decode_seal,
    encode_header,
)
from tests.journal.strategies import header


def test_header_comes_back_as_it_went() -> None:
    owner = header(UUID(int=7))

    start, crc = encode_header(owner)

    assert decode_header(start + b"records") == (owner, len(start), crc)


def test_header_is_the_documented_bytes() -> None:
    start, _ = encode_header(header(UUID(int=7)))

    assert start.startswith(b"ACSJRNL\n\x01\x00\x00\x00")
    assert b'"opened_at": "2026-11-21T10:00:00.123456+00:00"' in start
    assert b'"opened_at_us": 1795255200123456' in start


def test_header_states_another_zone_in_utc() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))
    owner = replace(header(), opened_at=noon)

    decoded, _, _ = decode_header(encode_header(owner)[0])

    assert decoded.opened_at == noon
    assert decoded.opened_at.tzinfo is UTC


@given(st.data())
def test_header_with_any_changed_byte_is_refused(data: st.DataObject) -> None:
    start = bytearray(encode_header(header(UUID(int=7)))[0])
    at = data.draw(st.integers(0, len(start) - 1))
    start[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(JournalError):
        decode_header(bytes(start))


@given(st.data())
def test_header_that_is_cut_off_is_refused(data: st.DataObject) -> None:
    start, _ = encode_header(header(UUID(int=7)))
    length = data.draw(st.integers(0, len(start) - 1))

    with pytest.raises(JournalError, match="cut off"):
        decode_header(start[:length])


def test_newer_version_is_named_in_the_error() -> None:
    newer = HEADER_FIXED.pack(MAGIC, 2, 0, 0) + bytes(4)

    with pytest.raises(JournalError, match="version 2 is newer"):
        decode_header(newer)


def test_header_without_its_members_is_not_understood() -> None:
    head = HEADER_FIXED.pack(MAGIC, 1, 0, 2) + b"{}"

    with pytest.raises(JournalError, match="not understood"):
        decode_header(head + CRC.pack(zlib.crc32(head)))


def test_another_file_is_not_a_journal() -> None:
    with pytest.raises(JournalError, match="not a journal"):
        decode_header(b"RIFF" + bytes(40))


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(at: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    us = microseconds(at)

    assert instant(us) == epoch + timedelta(microseconds=us) == at


def test_seal_of_another_shape_is_refused() -> None:
    with pytest.raises(JournalError, match="seal"):
        decode_seal(b'{"code": 1000}')
