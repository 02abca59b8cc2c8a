"""The load and its measurement: what they count is what there is."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.bar import promises
from benchmarks.frames import TEXT, audio_frame, client_frame, stamper
from benchmarks.generator import Report
from benchmarks.measure import Figures, Plan, Spread, is_complete, measure
from benchmarks.servers.house import SERVERS
from benchmarks.servers.stored import Kept, PcmStore
from benchmarks.table import ratios, remarks, table
from benchmarks.watching import Watch

ANYWHERE: tuple[set[int], set[int]] = (set(), set())


def test_a_frame_is_masked_and_reads_as_a_packet_of_its_time() -> None:
    frame, stamp_at = audio_frame(7)
    at = datetime(2026, 11, 25, 10, 47, 56, 42_007, tzinfo=UTC)

    frame[stamp_at] = stamper()(round(at.timestamp() * 1e6))

    packet = json.loads(unmasked(frame))["audioData"]
    assert datetime.fromisoformat(packet["timestamp"]) == at
    assert packet["participantRawID"] == "4:+12065550007"
    assert len(base64.b64decode(packet["data"])) == 640


@pytest.mark.parametrize("length", [0, 125, 126, 60_000])
def test_frames_of_every_length_unmask_to_their_payload(length: int) -> None:
    payload = bytes(range(256)) * 235

    assert unmasked(client_frame(TEXT, payload[:length])) == payload[:length]


@pytest.mark.parametrize("server", ["floor", "sample", "sample-file", "rows", "ours"])
def test_seconds_of_two_streams_are_measured(server: str) -> None:
    # So long that a machine which stands still for one sees some of it.
    figures = measure(SERVERS[server], Plan(2, seconds=4, warm_up=0.2), ANYWHERE)

    assert figures.sent == 2 * 210
    assert figures.faults == ()
    assert figures.lost_sockets == 0
    if server == "sample":
        assert figures.stored is None
    else:
        assert figures.stored == figures.sent
        assert figures.is_complete
    assert figures.packets_per_second > 0
    assert (figures.to_disk_ms is not None) == (server not in ("sample", "rows"))


@pytest.mark.parametrize("server", ["floor", "ours"])
def test_a_flood_is_stored_to_the_last_packet(server: str) -> None:
    plan = Plan(3, seconds=0.5, warm_up=0.1, flood=True)

    figures = measure(SERVERS[server], plan, ANYWHERE)

    assert figures.sent > 100
    assert figures.stored == figures.sent
    assert figures.is_complete
    assert figures.faults == ()


def test_a_packet_that_is_missing_or_another_is_incomplete() -> None:
    report = Report(sent=[2, 2], stamp_sums=[30, 50])

    assert is_complete(report, {0: Kept(2, 30), 1: Kept(2, 50)})
    assert is_complete(report, {0: Kept(2), 1: Kept(2)})
    assert not is_complete(report, {0: Kept(2, 30)})
    assert not is_complete(report, {0: Kept(2, 30), 1: Kept(1, 30)})
    assert not is_complete(report, {0: Kept(2, 30), 1: Kept(2, 51)})


def test_a_packet_is_on_the_disk_when_the_file_has_grown_past_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "0.pcm"
    path.write_bytes(bytes(1280))
    watch = Watch({0: path})
    watch.sizes[0] = [(1_000_000, 0), (5_000_000, 639), (9_000_000, 1280)]

    ends = PcmStore(tmp_path).ends(path)

    assert ends == [640, 1280]
    assert watch.seen(0, ends) == [9_000_000, 9_000_000]
    assert watch.seen(0, [639, 1280, 1920]) == [5_000_000, 9_000_000]
    watch.close()


def test_a_row_says_when_it_is_not_to_be_believed() -> None:
    late = figures(late_share=0.02, worst_late_ms=44)

    assert not late.is_trustworthy
    assert "NOT TRUSTWORTHY" in remarks(late)[0]
    assert "NOT TRUSTWORTHY" in table([late])
    assert "NOT TRUSTWORTHY" not in table([figures()])


def test_a_row_says_when_packets_were_lost_or_late() -> None:
    assert "LOST PACKETS" in remarks(figures(is_complete=False, stored=1))
    assert "fell behind real time" in remarks(figures(packets_per_second=14_000.0))
    assert remarks(figures()) == []


def test_ratios_are_of_medians_and_tell_the_spread_of_turns() -> None:
    ours = [figures(cpu_us=cost) for cost in (20.0, 30.0, 22.0)]
    floor = [figures(server="floor", cpu_us=cost) for cost in (10.0, 20.0, 12.0)]

    [ratio] = ratios([*ours, *floor])

    assert (ratio.server, ratio.other, ratio.turns) == ("ours", "floor", 3)
    assert ratio.median == pytest.approx(22 / 12)
    assert (ratio.least, ratio.most) == (1.5, 2.0)


def test_the_bar_is_judged_by_the_worst_turn() -> None:
    rows = [
        figures(to_disk_ms=Spread(50, 90, 120)),
        figures(to_disk_ms=Spread(50, 90, 301)),
    ]

    kept = {one.name: one.is_kept for one in promises(rows, [], {}, {})}

    assert kept["300 paced: sent to on the disk, p99, ms"] is False
    assert kept["300 paced: memory per stream, kB"] is True
    assert kept["finishing a call, × real time per core"] is None


def figures(**changes: object) -> Figures:
    seen: dict[str, object] = {
        "server": "ours",
        "label": "ours",
        "load": "300 paced",
        "streams": 300,
        "seconds": 10.0,
        "cpu_us": 20.0,
        "cpu_share": 0.3,
        "others_share": 0.0,
        "packets_per_second": 15_000.0,
        "sent": 195_000,
        "stored": 195_000,
        "is_complete": True,
        "to_disk_ms": Spread(50.0, 90.0, 100.0),
        "loop_lag_ms": None,
        "rss_kb_per_stream": 120.0,
        "late_share": 0.0,
        "worst_late_ms": 1.0,
        "held": 0,
        "lost_sockets": 0,
        "faults": (),
    }
    return Figures(**(seen | changes))  # type: ignore[arg-type] # by name


def unmasked(frame: bytearray) -> bytes:
    """Return a client frame's payload, read as RFC 6455, 5.2 says."""
    assert frame[0] == 0x81
    assert frame[1] & 0x80
    length, at = frame[1] & 0x7F, 2
    if length == 126:
        length, at = int.from_bytes(frame[2:4], "big"), 4
    key, payload = frame[at : at + 4], frame[at + 4 :]
    assert any(key), "a server may skip a mask of zeros"
    assert len(payload) == length
    return bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
