"""What must be true of an archive whatever the network did to its calls."""

import hashlib
import json
from pathlib import Path
from typing import Any

import soundfile

from tests.streaming.house import House

TRACKS = """
    select t.*, p.raw_id, r.audio, r.state, r.audio_sha256, r.audio_bytes, r.leftovers,
           r.pcm_sha256, r.samples as recorded_samples,
           r.origin_us as recorded_origin_us
    from calls_track t
    join calls_participant p on p.id = t.participant_id
    left join calls_recording r on r.track_id = t.id
    order by p.raw_id
"""
CHUNKS = """
    select coalesce(sum(packets), 0) as packets, coalesce(sum(samples), 0) as samples,
           coalesce(sum(silent_packets), 0) as silent
    from calls_audiochunk where track_id = ?
"""
SOCKETS = "select coalesce(sum(packets), 0) as packets from calls_connection"


def assert_archive_is_clean(house: House) -> None:
    """Every figure is the sum of its parts, and every recording decodes to its PCM."""
    assert house.journals == []
    tracks = house.rows(TRACKS)
    for track in tracks:
        _assert_figures_add_up(house, track)
        _assert_recording_is_whole(house, track)
    [sockets] = house.rows(SOCKETS)
    assert sockets["packets"] == sum(track["packets"] for track in tracks)
    states = house.rows("select archive_state, archive_error from calls_call")
    assert {row["archive_error"] for row in states} == {""}
    journals = house.rows("select distinct journal_state from calls_connection")
    assert [row["journal_state"] for row in journals] == ["kept"]
    verified = house.manage("verify_archive")
    if "Unknown command" not in verified.stderr:
        assert verified.returncode == 0, verified.stdout + verified.stderr


def _assert_figures_add_up(house: House, track: dict[str, Any]) -> None:
    total = dict.fromkeys("rsgx", 0)
    for letter, samples in json.loads(track["ledger"])["runs"]:
        total[letter] += samples
    assert sum(total.values()) == track["samples"]
    assert total["r"] == track["talk_samples"]
    assert total["g"] == track["gap_samples"]
    assert total["x"] == track["stopped_samples"]
    [chunks] = house.rows(CHUNKS, track["id"])
    assert chunks["samples"] == total["r"] + total["s"]
    aside = track["duplicates"] + track["discarded"]
    assert chunks["packets"] == track["packets"] - aside


def _assert_recording_is_whole(house: House, track: dict[str, Any]) -> None:
    assert (track["state"], track["recorded_samples"]) == ("verified", track["samples"])
    assert track["recorded_origin_us"] == track["origin_us"]
    content = stored(house, track["audio"]).read_bytes()
    assert len(content) == track["audio_bytes"]
    assert hashlib.sha256(content).hexdigest() == track["audio_sha256"]
    pcm = decoded(house, track["audio"])
    assert hashlib.sha256(pcm).hexdigest() == track["pcm_sha256"]


def stored(house: House, name: str) -> Path:
    """Return where a file of the recordings' storage lies."""
    return house.folder / "recordings" / name


def decoded(house: House, name: str) -> bytes:
    """Return the PCM of a stored recording."""
    samples, _ = soundfile.read(stored(house, name), dtype="int16")
    return bytes(samples.astype("<i2").tobytes())
