"""Recordings over HTTP: ranges, conversions, who may."""

import contextlib
import io
import uuid
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from hypothesis import given
from hypothesis import strategies as st

from calls.http_range import UnsatisfiableError, range_of
from calls.models import Recording
from calls.storage import recording_delete, recording_open
from tests.factories import member_of

pytestmark = pytest.mark.database


def url(recording: Recording, what: str = "audio") -> str:
    return f"/recordings/{recording.pk}/{what}"


@pytest.fixture
def flac(recording: Recording) -> bytes:
    with recording_open(recording.audio) as file:
        return file.read()


def body(response: Any) -> bytes:
    return b"".join(response)


def test_sends_the_whole_file(
    operator: Client, recording: Recording, flac: bytes
) -> None:
    response = operator.get(url(recording))
    assert response.status_code == 200
    assert body(response) == flac
    assert response["Content-Type"] == "audio/flac"
    assert response["Content-Length"] == str(len(flac))
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == f'"{recording.audio_sha256}"'
    assert "private" in response["Cache-Control"]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, None),
        ("bytes=100-299", 100, 299),
        ("bytes=70000-", 70_000, None),
        ("bytes=-100", -100, None),
        ("bytes=5-99999999", 5, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_sends_the_one_range_asked_for(
    operator: Client,
    recording: Recording,
    flac: bytes,
    asked: str,
    first: int,
    last: int | None,
) -> None:
    response = operator.get(url(recording), headers={"Range": asked})
    wanted = flac[first : None if last is None else last + 1]
    start = first % len(flac)
    assert response.status_code == 206
    assert body(response) == wanted
    assert response["Content-Length"] == str(len(wanted))
    assert (
        response["Content-Range"]
        == f"bytes {start}-{start + len(wanted) - 1}/{len(flac)}"
    )


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_answers_416_to_a_range_outside_the_file(
    operator: Client, recording: Recording, flac: bytes, asked: str
) -> None:
    response = operator.get(url(recording), headers={"Range": asked})
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(flac)}"
    assert response.content == b""


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=",
        "bytes=-",
        "bytes=9-3",
        "bytes=0-1,4-5",
        "frames=0-1",
        "bytes=a-b",
        "bytes=" + "9" * 5_000 + "-",
    ],
)
def test_ignores_ranges_it_does_not_understand(
    operator: Client, recording: Recording, flac: bytes, asked: str
) -> None:
    response = operator.get(url(recording), headers={"Range": asked})
    assert response.status_code == 200
    assert body(response) == flac


def test_obeys_if_range(operator: Client, recording: Recording, flac: bytes) -> None:
    ours, asked = f'"{recording.audio_sha256}"', "bytes=0-9"
    same = operator.get(url(recording), headers={"Range": asked, "If-Range": ours})
    other = operator.get(url(recording), headers={"Range": asked, "If-Range": '"old"'})
    date = "Sat, 21 Nov 2026 03:00:00 GMT"
    dated = operator.get(url(recording), headers={"Range": asked, "If-Range": date})
    assert (same.status_code, body(same)) == (206, flac[:10])
    assert (other.status_code, body(other)) == (200, flac)
    assert (dated.status_code, body(dated)) == (200, flac)


def test_answers_304_to_a_browser_that_has_it(
    operator: Client, recording: Recording
) -> None:
    response = operator.get(
        url(recording), headers={"If-None-Match": f'"{recording.audio_sha256}"'}
    )
    assert response.status_code == 304


def test_answers_head_without_the_bytes(
    operator: Client, recording: Recording, flac: bytes
) -> None:
    response = operator.head(url(recording), headers={"Range": "bytes=0-9"})
    # RFC 9110 §14.2: Range is for GET only.
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(flac))
    assert body(response) == b""


@pytest.mark.django_db(transaction=True)
async def test_streams_in_blocks_under_asgi(recording: Recording, flac: bytes) -> None:
    client = AsyncClient()
    await client.aforce_login(await sync_to_async(member_of)("operator"))
    response: Any = await client.get(url(recording))
    blocks = [block async for block in response]
    assert b"".join(blocks) == flac
    assert len(blocks) > 1


def test_refuses_other_methods(operator: Client, recording: Recording) -> None:
    assert operator.post(url(recording)).status_code == 405


def test_converts_to_the_same_audio_as_wav(
    operator: Client, recording: Recording, speech: npt.NDArray[np.int16]
) -> None:
    response = operator.get(url(recording, "download.wav"))
    wav = body(response)
    assert len(wav) == int(response["Content-Length"]) == 44 + 2 * len(speech)
    pcm, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    assert rate == recording.sample_rate
    assert np.array_equal(pcm, speech)


def test_tells_the_size_of_a_wav_to_head(
    operator: Client, recording: Recording
) -> None:
    response = operator.head(url(recording, "download.wav"))
    assert response["Content-Length"] == str(44 + 2 * recording.samples)
    assert body(response) == b""


def test_names_downloads_by_time_call_and_party(
    operator: Client, recording: Recording
) -> None:
    track = recording.track
    assert track
    response = operator.get(url(recording, "download.flac"))
    name = response["Content-Disposition"]
    assert name.startswith('attachment; filename="')
    assert str(recording.call_id)[:8] in name
    assert name.endswith('.flac"')
    number = track.participant.raw_id.removeprefix("4:+")
    assert number.isdecimal()
    assert number not in name
    assert "_party-" in name
    assert body(response)[:4] == b"fLaC"


@pytest.mark.parametrize(
    ("side", "role"), [("from_raw_id", "_caller."), ("to_raw_id", "_called.")]
)
def test_names_a_download_by_who_is_heard(
    operator: Client, recording: Recording, side: str, role: str
) -> None:
    assert recording.track
    setattr(recording.call, side, recording.track.participant.raw_id)
    recording.call.save()
    response = operator.head(url(recording, "download.flac"))
    assert role in response["Content-Disposition"]


def test_puts_no_header_of_its_own_into_a_file_name(
    operator: Client, recording: Recording
) -> None:
    track = recording.track
    assert track
    track.participant.raw_id = '4:"\r\nX-Evil: 1'
    track.participant.save()
    response = operator.head(url(recording, "download.flac"))
    assert "X-Evil" not in response.headers
    assert "\n" not in response["Content-Disposition"]


def test_sends_peaks_and_manifest(operator: Client, recording: Recording) -> None:
    assert operator.get(url(recording, "peaks")).json()["data"] == [-3, 4]
    assert operator.get(url(recording, "manifest")).json() == {"kind": "test"}


@pytest.mark.parametrize(
    ("who", "what", "status"),
    [
        ("auditor", "audio", 200),
        ("auditor", "peaks", 200),
        ("auditor", "manifest", 200),
        ("auditor", "download.flac", 403),
        ("auditor", "download.wav", 403),
        ("stranger", "audio", 403),
        ("stranger", "peaks", 403),
        ("stranger", "manifest", 403),
        ("stranger", "download.wav", 403),
    ],
)
def test_lets_only_those_hear_who_may(
    request: pytest.FixtureRequest,
    recording: Recording,
    who: str,
    what: str,
    status: int,
) -> None:
    client = request.getfixturevalue(who)
    assert client.head(url(recording, what)).status_code == status


@pytest.mark.parametrize("what", ["audio", "peaks", "manifest", "download.flac"])
def test_lets_nobody_hear_without_a_login(recording: Recording, what: str) -> None:
    assert Client().get(url(recording, what)).status_code == 403


@pytest.mark.parametrize("what", ["audio", "peaks", "manifest", "download.wav"])
def test_answers_404_for_recordings_there_are_not(operator: Client, what: str) -> None:
    assert operator.get(f"/recordings/{uuid.uuid4()}/{what}").status_code == 404


@pytest.mark.parametrize(
    "hostile",
    ["../../etc/passwd", "1 OR 1=1", "%00", "..%2f..%2fsecret_key", "x" * 900],
)
def test_answers_404_for_ids_that_are_none(operator: Client, hostile: str) -> None:
    assert operator.get(f"/recordings/{hostile}/audio").status_code == 404


@pytest.mark.parametrize("what", ["audio", "download.flac", "download.wav", "peaks"])
def test_answers_404_when_the_file_is_gone(
    operator: Client, recording: Recording, what: str
) -> None:
    recording_delete(recording.audio)
    recording_delete(recording.peaks)
    assert operator.get(url(recording, what)).status_code == 404


@given(
    size=st.integers(0, 5_000),
    first=st.none() | st.integers(0, 6_000),
    last=st.none() | st.integers(0, 6_000),
)
def test_never_leaves_the_file(size: int, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    try:
        found = range_of(header, size)
    except UnsatisfiableError:
        return
    if found is not None:
        assert 0 <= found.first <= found.last < size
        assert found.length >= 1


@given(st.text())
def test_reads_any_header_without_failing(header: str) -> None:
    with contextlib.suppress(UnsatisfiableError):
        range_of(header, 1_000)


def test_takes_digits_for_digits_only() -> None:
    assert range_of("bytes=\u0661-\u0662", 1_000) is None
