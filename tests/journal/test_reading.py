import fcntl
from itertools import accumulate
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls.journals.format import COUNT, SILENT, ZEROS
from calls.journals.reading import (
    NO_PARTICIPANT,
    JournalError,
    Kind,
    is_live,
    read,
    scan,
    truncate_torn_tail,
)
from tests.journal.strategies import Content, contents, encode, header

# Each example overwrites the one file, so the folder may be shared.
on_one_file = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
A_SPEAKER = Content(Kind.PARTICIPANT, b"8:acs:a_b", 5, participant=0)
A_PACKET = Content(Kind.AUDIO, b"\x01\x02" * 320, 20_000, SILENT, 0, 1_000_000)
A_SEAL = Content(
    Kind.SEAL,
    b'{"code": 1000, "reason": "hung up", "counters": {"packets": 1},'
    b' "dropped_packets": 0, "dropped_records": 0, "sync_failures": 0}',
    30_000,
)


def write(path: Path, *content: Content) -> list[bytes]:
    parts = encode(header(UUID(int=7)), list(content))
    path.write_bytes(b"".join(parts))
    return parts


def read_contents(path: Path, *, past_damage: bool = False) -> list[Content]:
    with read(path) as journal:
        return [
            Content(
                record.kind,
                bytes(record.payload),
                record.arrival_us,
                record.flags,
                record.participant,
                record.timestamp_us,
            )
            for record in journal.records(past_damage=past_damage)
        ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / f"{UUID(int=7)}.journal"


@on_one_file
@given(st.lists(contents(), max_size=8))
def test_records_come_back_as_they_went(path: Path, written: list[Content]) -> None:
    parts = write(path, *written)

    with read(path) as journal:
        assert journal.header == header(UUID(int=7))
        assert journal.damage is None
        assert journal.valid_bytes == sum(map(len, parts))
    assert read_contents(path) == written


@on_one_file
@given(st.lists(contents(), min_size=1, max_size=6))
def test_every_cut_keeps_exactly_the_records_before_it(
    path: Path, written: list[Content]
) -> None:
    parts = encode(header(UUID(int=7)), written)
    whole = b"".join(parts)
    ends = list(accumulate(map(len, parts)))

    for length in range(len(parts[0]), len(whole)):
        path.write_bytes(whole[:length])
        count = sum(end <= length for end in ends) - 1
        assert read_contents(path) == written[:count]
        with read(path) as journal:
            assert journal.valid_bytes == ends[count]
            assert (journal.damage is None) == (length == ends[count])


@on_one_file
@given(st.lists(contents(), min_size=1, max_size=6), st.data())
def test_any_changed_byte_is_found(
    path: Path, written: list[Content], data: st.DataObject
) -> None:
    parts = encode(header(UUID(int=7)), written)
    whole = bytearray(b"".join(parts))
    at = data.draw(st.integers(len(parts[0]), len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    ends = list(accumulate(map(len, parts)))
    hit = sum(end <= at for end in ends) - 1

    with read(path) as journal:
        assert journal.damage is not None
        assert journal.valid_bytes == ends[hit]
        assert journal.sealed is None
    assert read_contents(path) == written[:hit]
    survivors = written[:hit] + written[hit + 1 :]
    assert read_contents(path, past_damage=True) == survivors


def test_record_of_another_journal_is_damage(path: Path) -> None:
    parts = encode(header(UUID(int=7)), [A_SPEAKER])
    stranger = encode(header(UUID(int=8)), [A_PACKET])[1]
    path.write_bytes(b"".join(parts) + stranger)

    with read(path) as journal:
        assert [record.kind for record in journal.records()] == [Kind.PARTICIPANT]
        assert journal.damage is not None


def test_zeros_after_the_last_record_are_damage(path: Path) -> None:
    parts = write(path, A_SPEAKER, A_PACKET)
    with path.open("ab") as file:
        file.write(bytes(4096))

    with read(path) as journal:
        assert journal.valid_bytes == sum(map(len, parts))
        assert journal.damage is not None
    assert truncate_torn_tail(path) == 4096


def test_participants_are_resolved_as_records_come(path: Path) -> None:
    write(path, A_SPEAKER, A_PACKET)

    with read(path) as journal:
        assert journal.participants == {0: "8:acs:a_b", NO_PARTICIPANT: None}
        speakers = [journal.participants[r.participant] for r in journal.records()]
    assert speakers == ["8:acs:a_b", "8:acs:a_b"]


def test_counted_zeros_become_pcm_again(path: Path) -> None:
    write(path, Content(Kind.AUDIO, COUNT.pack(640), 1, ZEROS | SILENT))

    with read(path) as journal:
        [record] = journal.records()
        assert record.pcm == bytes(640)
        assert record.silent


def test_silent_packet_keeps_the_pcm_it_came_with(path: Path) -> None:
    write(path, A_PACKET)

    with read(path) as journal:
        [record] = journal.records()
        assert record.silent
        assert record.pcm == A_PACKET.payload


def test_text_is_text_again(path: Path) -> None:
    write(path, Content(Kind.UNKNOWN, '{"kind":"Märk"}'.encode(), 1))

    with read(path) as journal:
        [record] = journal.records()
        assert record.text == '{"kind":"Märk"}'


def test_payload_outlives_the_journal_it_came_from(path: Path) -> None:
    write(path, A_PACKET)

    with read(path) as journal:
        [record] = journal.records()

    assert bytes(record.payload) == A_PACKET.payload


def test_seal_counts_only_as_the_last_word(path: Path) -> None:
    write(path, A_PACKET, A_SEAL)
    with read(path) as journal:
        seal = journal.sealed
    assert seal is not None
    assert (seal.code, seal.reason, seal.counters) == (1000, "hung up", {"packets": 1})

    write(path, A_SEAL, A_PACKET)
    with read(path) as journal:
        assert journal.sealed is None


@pytest.mark.parametrize("content", [b"", b"ACSJ", b"ACSJRNL\n\x02\x00" + bytes(20)])
def test_unreadable_header_is_an_error_that_names_the_file(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)

    with pytest.raises(JournalError, match=path.name):
        read(path)


def test_torn_tail_is_cut_and_nothing_else(path: Path) -> None:
    parts = write(path, A_SPEAKER, A_PACKET, A_PACKET)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])

    assert truncate_torn_tail(path) == len(parts[-1]) - 100

    assert path.read_bytes() == b"".join(parts[:-1])
    assert truncate_torn_tail(path) == 0


def test_damage_before_good_records_is_never_cut(path: Path) -> None:
    parts = write(path, A_SPEAKER, A_PACKET, A_PACKET)
    whole = bytearray(path.read_bytes())
    whole[len(parts[0]) + len(parts[1])] ^= 0x80
    path.write_bytes(whole)

    with pytest.raises(JournalError, match="not a torn tail"):
        truncate_torn_tail(path)

    assert path.read_bytes() == whole
    assert read_contents(path, past_damage=True) == [A_SPEAKER, A_PACKET]


def test_locked_journal_is_live_and_left_alone(path: Path) -> None:
    write(path, A_PACKET)
    with path.open("ab") as writer:
        writer.write(b"torn")
        writer.flush()
        fcntl.flock(writer.fileno(), fcntl.LOCK_EX)

        assert is_live(path)
        assert scan(path.parent) == []
        with pytest.raises(JournalError, match="still being written"):
            truncate_torn_tail(path)
        # Reading needs no lock: what stands there is readable at any time.
        assert read_contents(path) == [A_PACKET]

    assert not is_live(path)
    assert truncate_torn_tail(path) == 4


def test_missing_journal_is_not_live(path: Path) -> None:
    assert not is_live(path)


def test_scan_finds_dead_journals_and_says_which_are_unreadable(path: Path) -> None:
    write(path, A_PACKET)
    broken = path.with_name("broken.journal")
    broken.write_bytes(b"ACSJRNL\n")
    path.with_name("half-created.journal.new").write_bytes(b"ACSJRNL\n")

    unreadable, readable = scan(path.parent)

    assert (unreadable.path, unreadable.header) == (broken, None)
    assert unreadable.error is not None
    assert "cut off" in unreadable.error
    assert (readable.path, readable.error) == (path, None)
    assert readable.header == header(UUID(int=7))
    assert readable.size == path.stat().st_size


def test_folder_that_is_not_there_holds_no_journals(tmp_path: Path) -> None:
    assert scan(tmp_path / "nowhere") == []
