"""Downloads of one call: who is where in stereo, what the side-car and the zip hold."""

import hashlib
import io
import json
import uuid
import zipfile
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.test import AsyncClient, Client

from calls.downloads.encoding import WAV_MOST, flac_blocks, wav_size
from calls.models import AuditAction, AuditEntry, Call, Recording, Tone
from calls.storage import recording_delete, recording_save
from tests.console.conftest import logged_in, stored_recording
from tests.factories import CallFactory, TrackFactory, UserFactory, member_of

pytestmark = pytest.mark.database

RATE = 16_000
Pcm = npt.NDArray[np.int16]


def tone(hertz: float, seconds: float, rate: int = RATE) -> Pcm:
    """Return a sine that can be told from others after resampling."""
    at = np.arange(round(seconds * rate)) / rate
    return (9_000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def spoken(
    call: Call, pcm: Pcm, *, offset: float = 0.0, rate: int = RATE, **about: Any
) -> Recording:
    """Store what somebody said in `call`, `offset` seconds after its zero."""
    assert call.origin_us is not None
    origin_us = call.origin_us + round(offset * 1e6)
    track = TrackFactory.create(
        call=call, sample_rate=rate, samples=len(pcm), origin_us=origin_us, **about
    )
    return stored_recording(pcm, rate, call=call, track=track, origin_us=origin_us)


@pytest.fixture
def call(db: None) -> Call:
    """A call whose caller has the raw id that rang."""
    made: Call = CallFactory.create(ended=True, from_raw_id="4:+12065550100")
    return made


@pytest.fixture
def caller(call: Call) -> Recording:
    return spoken(call, tone(400, 3), participant__raw_id=call.from_raw_id)


@pytest.fixture
def agent(call: Call) -> Recording:
    return spoken(call, tone(1_000, 2), offset=0.5, participant__raw_id="8:acs:agent")


def taken() -> QuerySet[AuditEntry]:
    """Return what the audit log has of downloads."""
    return AuditEntry.objects.filter(action=AuditAction.RECORDING_DOWNLOADED)


def body(response: Any) -> bytes:
    return b"".join(response)


def stereo(client: Client, call: Call, form: str = "wav", **sides: str) -> Any:
    return client.get(f"/calls/{call.pk}/stereo.{form}", sides)


def channels(response: Any) -> tuple[Pcm, Pcm, int]:
    frames, rate = soundfile.read(io.BytesIO(body(response)), dtype="int16")
    return frames[:, 0], frames[:, 1], rate


def pitch(samples: Pcm, rate: int) -> float:
    """Return the frequency that is loudest."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_stereo_has_the_caller_left_and_the_others_right(
    operator: Client, call: Call, agent: Recording, caller: Recording, form: str
) -> None:
    response = stereo(operator, call, form)

    assert response.status_code == 200
    assert "_caller-party-" in response["Content-Disposition"]
    left, right, rate = channels(response)
    assert rate == RATE
    assert np.array_equal(left, tone(400, 3))
    # 0.5 s later on the call's clock, and silent where the agent has no audio.
    expected = np.zeros(3 * RATE, np.int16)
    expected[RATE // 2 : RATE // 2 + 2 * RATE] = tone(1_000, 2)
    assert np.array_equal(right, expected)


def test_stereo_puts_chosen_speakers_on_their_sides(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    third = spoken(call, tone(2_000, 1), offset=1)

    left, right, _ = channels(
        stereo(operator, call, left=str(third.pk), right=str(caller.pk))
    )
    alone, others, _ = channels(
        stereo(operator, call, left="rest", right=str(third.pk))
    )

    assert pitch(left[RATE : 2 * RATE], RATE) == 2_000
    assert not left[:RATE].any()
    assert np.array_equal(right, tone(400, 3))
    # Two voices on one side are added up.
    half = slice(RATE // 2, 2 * RATE)
    summed = tone(400, 3)[half] + tone(1_000, 2)[: 3 * RATE // 2]
    assert np.array_equal(alone[half], summed)
    assert np.array_equal(others, left)


def test_stereo_brings_different_rates_to_the_higher_one(
    operator: Client, call: Call, caller: Recording
) -> None:
    spoken(call, tone(1_000, 2, 24_000), offset=0.25, rate=24_000)

    left, right, rate = channels(stereo(operator, call, "flac"))

    assert rate == 24_000
    assert len(left) == len(right) == 3 * 24_000
    assert pitch(left, rate) == 400
    heard = np.flatnonzero(right)
    assert heard[0] == pytest.approx(6_000, abs=2)
    assert heard[-1] == pytest.approx(54_000, abs=30)
    # As loud as before, and in time: the resampled sine is the sine.
    assert np.corrcoef(left[2_400:-2_400], tone(400, 3, 24_000)[2_400:-2_400])[
        0, 1
    ] == pytest.approx(1, abs=1e-4)


def test_a_stereo_wav_tells_its_length_first(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    head = operator.head(f"/calls/{call.pk}/stereo.wav")
    response = stereo(operator, call)

    assert head["Content-Length"] == response["Content-Length"] == str(44 + 12 * RATE)
    assert len(body(response)) == 44 + 12 * RATE
    assert body(head) == b""


def test_a_flac_made_while_it_is_sent_tells_its_length(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    with soundfile.SoundFile(io.BytesIO(body(stereo(operator, call, "flac")))) as flac:
        assert (flac.frames, flac.channels, flac.subtype) == (3 * RATE, 2, "PCM_16")


def test_a_long_flac_is_sent_in_small_blocks() -> None:
    noise = np.random.default_rng(1).integers(-9_000, 9_000, (60 * RATE, 2))
    minute: Pcm = noise.astype(np.int16)
    sizes = [len(block) for block in flac_blocks([minute] * 10, 600 * RATE, RATE, 2)]

    assert len(sizes) > 9
    assert max(sizes) < 2 * minute.nbytes


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        ("rest", "rest", "at least one side"),
        ("00000000-0000-0000-0000-000000000000", "rest", "no such speaker"),
        ("<b>", "", "no such speaker"),
    ],
)
def test_says_why_there_is_no_such_stereo(
    operator: Client,
    call: Call,
    caller: Recording,
    agent: Recording,
    left: str,
    right: str,
    reason: str,
) -> None:
    response = stereo(operator, call, left=left, right=right)

    assert response.status_code == 400
    assert reason in response.content.decode()
    assert "<b>" not in response.content.decode()


def test_nobody_is_left_and_right_at_once(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    one = str(caller.pk)

    assert stereo(operator, call, left=one, right=one).status_code == 400


def test_one_speaker_has_no_stereo(
    operator: Client, call: Call, caller: Recording
) -> None:
    assert stereo(operator, call).status_code == 400


def test_half_a_call_is_no_stereo(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    recording_delete(agent.audio)

    assert stereo(operator, call).status_code == 404
    assert not taken().exists()


def test_no_wav_is_longer_than_its_header_can_tell() -> None:
    # 18.6 hours of stereo at 16 kHz.
    assert wav_size(18 * 3_600 * RATE, 2) <= WAV_MOST < wav_size(19 * 3_600 * RATE, 2)


def test_the_side_car_says_what_the_files_are(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    assert caller.track
    caller.track.ledger = {"rate": RATE, "runs": [["r", 32_000], ["g", 16_000]]}
    caller.track.save()
    mix = stored_recording(tone(700, 3), call=call, track=None)
    Tone.objects.create(
        id=uuid.uuid4(),
        call=call,
        raw_id=call.from_raw_id,
        tone="5",
        at_us=(call.origin_us or 0) + 1_500_000,
    )

    response = operator.get(f"/calls/{call.pk}/side-car.json")

    told = response.json()
    assert told["schema"] == 1
    assert told["software"].startswith("acsstream")
    assert told["call"]["id"] == str(call.pk)
    assert told["clock"]["origin_us"] == call.origin_us
    assert told["clock"]["origin"].endswith("Z")
    first, second, third = told["recordings"]
    assert (first["recording"], first["raw_id"]) == (str(mix.pk), None)
    assert second == second | {
        "recording": str(caller.pk),
        "raw_id": call.from_raw_id,
        "offset": 0.0,
        "seconds": 3.0,
        "audio_sha256": caller.audio_sha256,
        "pcm_sha256": caller.pcm_sha256,
        "ledger": {"rate": RATE, "runs": [["r", 32_000], ["g", 16_000]]},
    }
    assert third["offset"] == 0.5
    assert told["ledger_letters"]["g"] == "gap"
    assert {one["raw_id"] for one in told["participants"]} == {
        call.from_raw_id,
        "8:acs:agent",
    }
    tones = [marker for marker in told["markers"] if marker["kind"] == "tone"]
    assert tones == [
        {"at": 1.5, "kind": "tone", "label": "Tone 5", "raw_id": call.from_raw_id}
    ]


def test_the_hashes_are_those_of_the_files(
    operator: Client, call: Call, caller: Recording
) -> None:
    [told] = operator.get(f"/calls/{call.pk}/side-car.json").json()["recordings"]
    flac = body(operator.get(f"/recordings/{caller.pk}/download.flac"))

    assert hashlib.sha256(flac).hexdigest() == told["audio_sha256"]
    pcm, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    assert hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest() == told["pcm_sha256"]


def test_digits_are_for_those_who_may_hear_them(call: Call, caller: Recording) -> None:
    user = UserFactory.create()
    user.user_permissions.add(Permission.objects.get(codename="download_recording"))
    Tone.objects.create(
        id=uuid.uuid4(), call=call, tone="5", at_us=(call.origin_us or 0) + 1
    )

    told = logged_in(user).get(f"/calls/{call.pk}/side-car.json").json()

    tones = [one["label"] for one in told["markers"] if one["kind"] == "tone"]
    assert tones == ["Tone"]


def test_the_zip_holds_everything(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    response = operator.get(f"/calls/{call.pk}/everything.zip")

    assert response["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body(response))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        told = json.loads(
            archive.read(next(name for name in names if "side-car" in name))
        )
        folder = names[0].split("/")[0]
        for one in told["recordings"]:
            content = archive.read(f"{folder}/{one['file']}")
            assert hashlib.sha256(content).hexdigest() == one["audio_sha256"]
        assert sum(name.endswith(".manifest.json") for name in names) == 2
        timeline = next(name for name in names if name.endswith("_timeline.json"))
        assert json.loads(archive.read(timeline))["call"]["id"] == str(call.pk)
    number = call.from_raw_id.removeprefix("4:+")
    assert number not in "".join(names) + response["Content-Disposition"]


def test_the_zip_and_its_side_car_agree_on_names_in_any_zone(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    # The zip is made while it is sent, when the request and its zone have gone.
    operator.cookies["zone"] = "browser:Asia/Tokyo"

    response = operator.get(f"/calls/{call.pk}/everything.zip")

    start = call.rang_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{start:%Y%m%d-%H%M%S}" in response["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(body(response))) as archive:
        names = archive.namelist()
        [told] = [archive.read(name) for name in names if "side-car" in name]
    folder = f"{start:%Y%m%d-%H%M%S}_{str(call.pk)[:8]}"
    files = {f"{folder}/{one['file']}" for one in json.loads(told)["recordings"]}
    assert files <= set(names)


def test_the_zip_leaves_out_what_has_gone(
    operator: Client, call: Call, caller: Recording, agent: Recording
) -> None:
    recording_delete(agent.audio)

    archive = operator.get(f"/calls/{call.pk}/everything.zip")

    with zipfile.ZipFile(io.BytesIO(body(archive))) as found:
        assert sum(name.endswith(".flac") for name in found.namelist()) == 1


def test_one_party_at_two_rates_has_two_files(
    operator: Client, call: Call, caller: Recording
) -> None:
    assert caller.track
    track = TrackFactory.create(
        call=call, participant=caller.track.participant, sample_rate=24_000
    )
    pcm = tone(400, 1, 24_000)
    stored_recording(pcm, 24_000, call=call, track=track, origin_us=call.origin_us)

    told = operator.get(f"/calls/{call.pk}/side-car.json").json()["recordings"]

    assert len({one["file"] for one in told}) == 2


@pytest.mark.parametrize("what", ["stereo.wav", "stereo.flac", "side-car.json"])
def test_refuses_those_who_may_only_hear(
    auditor: Client, call: Call, caller: Recording, agent: Recording, what: str
) -> None:
    assert auditor.get(f"/calls/{call.pk}/{what}").status_code == 403
    assert auditor.get(f"/calls/{call.pk}/everything.zip").status_code == 403
    assert not taken().exists()


@pytest.mark.parametrize("what", ["stereo.wav", "side-car.json", "everything.zip"])
def test_a_call_without_recordings_has_no_downloads(
    operator: Client, call: Call, what: str
) -> None:
    assert operator.get(f"/calls/{call.pk}/{what}").status_code == 404
    assert operator.get(f"/calls/{uuid.uuid4()}/{what}").status_code == 404


@pytest.mark.parametrize(
    ("what", "form"),
    [
        ("stereo.wav", "stereo wav"),
        ("stereo.flac", "stereo flac"),
        ("side-car.json", "side-car"),
        ("everything.zip", "zip"),
    ],
)
def test_is_on_the_audit_log_before_the_first_byte(
    operator: Client,
    call: Call,
    caller: Recording,
    agent: Recording,
    what: str,
    form: str,
) -> None:
    operator.head(f"/calls/{call.pk}/{what}")
    assert not taken().exists()

    operator.get(f"/calls/{call.pk}/{what}")  # nothing of it is read

    [entry] = taken()
    assert entry.call_key == call.pk
    assert entry.details["format"] == form


def test_what_cannot_be_noted_is_not_sent(
    operator: Client,
    call: Call,
    caller: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the audit log is full")

    monkeypatch.setattr("calls.audit.log.note_request", fail)

    with pytest.raises(OSError, match="full"):
        operator.get(f"/calls/{call.pk}/everything.zip")


@pytest.mark.django_db(transaction=True)
async def test_streams_in_blocks_under_asgi(
    call: Call, caller: Recording, agent: Recording
) -> None:
    client = AsyncClient()
    await client.aforce_login(await sync_to_async(member_of)("operator"))
    response: Any = await client.get(f"/calls/{call.pk}/everything.zip")
    blocks = [block async for block in response]

    assert len(blocks) > 1
    assert zipfile.is_zipfile(io.BytesIO(b"".join(blocks)))


def test_a_long_waveform_comes_with_fewer_pixels(
    operator: Client, caller: Recording
) -> None:
    data = [-1, 1] * 100_000
    data[2 * 70_000 + 1] = 99
    told = {
        "version": 2,
        "bits": 8,
        "sample_rate": RATE,
        "samples_per_pixel": 160,
        "length": 100_000,
        "data": data,
    }
    content = io.BytesIO(json.dumps(told).encode())
    caller.peaks = recording_save("long.peaks.json", content)
    caller.save()

    response = operator.get(f"/recordings/{caller.pk}/peaks")

    shown = response.json()
    assert (shown["length"], shown["samples_per_pixel"]) == (33_334, 480)
    # The loudest sample of a thousand seconds is still there.
    assert shown["data"][2 * (70_000 // 3) + 1] == 99
    again = operator.get(
        f"/recordings/{caller.pk}/peaks", headers={"If-None-Match": response["ETag"]}
    )
    assert again.status_code == 304
