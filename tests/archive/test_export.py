"""Recordings of many calls as one zip: what is in it, who may, and who is told."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from django.contrib.auth.models import Permission
from django.test import Client

from calls.export import views
from calls.export.audio import TooLongError, wav_header
from calls.models import AuditAction, AuditEntry, Call, Recording
from calls.storage import recording_delete, recording_open
from calls.transcripts.files import FORMS
from tests.console.conftest import logged_in, stored_recording
from tests.factories import (
    CallFactory,
    ParticipantFactory,
    RecordingFactory,
    SegmentFactory,
    TrackFactory,
    UserFactory,
    member_of,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/call/"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALLER, CALLED = "4:+12065550100", "4:+18005550199"


def tone(
    seconds: float, rate: int = 16_000, level: int = 9_000
) -> npt.NDArray[np.int16]:
    samples = np.arange(int(seconds * rate))
    wave: npt.NDArray[np.int16] = (np.sin(samples * 0.2) * level).astype(np.int16)
    return wave


def recorded_call(**lengths: float) -> Call:
    """Make a call with a stored recording of each party, and of the mix."""
    call = CallFactory.create(
        ended=True, rang_at=NOON, from_raw_id=CALLER, to_raw_id=CALLED
    )
    parties = {"caller": CALLER, "called": CALLED, "third": "8:acs:third"}
    for name, seconds in lengths.items():
        track = None
        if name != "mix":
            who = ParticipantFactory.create(call=call, raw_id=parties[name])
            track = TrackFactory.create(call=call, participant=who)
        stored_recording(tone(seconds), call=call, track=track)
    return call


def taken(client: Client, *calls: Call, **form: Any) -> zipfile.ZipFile:
    """Return the zip that is sent."""
    chosen = ",".join(str(call.pk) for call in calls)
    response: Any = client.post(f"{LIST}export/", {"chosen": chosen, **form})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/zip"
    body = b"".join(response.streaming_content)
    zipped = zipfile.ZipFile(io.BytesIO(body))
    assert zipped.testzip() is None
    return zipped


def folder(call: Call) -> str:
    return f"20260301-120000_{str(call.pk)[:8]}"


def sound(zipped: zipfile.ZipFile, name: str) -> tuple[npt.NDArray[np.int16], int]:
    samples, rate = soundfile.read(io.BytesIO(zipped.read(name)), dtype="int16")
    return samples, rate


def test_holds_each_participants_audio_as_it_is_stored(operator: Client) -> None:
    call = recorded_call(caller=1, called=2, mix=2)
    zipped = taken(operator, call)
    assert zipped.namelist() == [
        f"{folder(call)}/called.flac",
        f"{folder(call)}/caller.flac",
        f"{folder(call)}/call.json",
        "manifest.json",
    ]
    facts = json.loads(zipped.read(f"{folder(call)}/call.json"))
    assert (facts["from"], facts["to"]) == (CALLER, CALLED)
    by_role = {one["role"]: one for one in facts["recordings"]}
    assert set(by_role) == {"caller", "called", "mix"}
    for role in ("caller", "called"):
        content = zipped.read(f"{folder(call)}/{role}.flac")
        assert hashlib.sha256(content).hexdigest() == by_role[role]["flac_sha256"]
        assert len(content) == by_role[role]["flac_bytes"]
        info = zipped.getinfo(f"{folder(call)}/{role}.flac")
        assert info.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize(
    ("choice", "form", "names"),
    [
        ("tracks", "wav", ["called.wav", "caller.wav"]),
        ("mix", "flac", ["mix.flac"]),
        ("mix", "wav", ["mix.wav"]),
        ("both", "flac", ["called.flac", "caller.flac", "mix.flac"]),
        ("stereo", "flac", ["stereo.wav"]),
        ("nonsense", "nonsense", ["called.flac", "caller.flac"]),
    ],
)
def test_holds_what_was_chosen(
    operator: Client, choice: str, form: str, names: list[str]
) -> None:
    call = recorded_call(caller=1, called=2, mix=2)
    zipped = taken(operator, call, choice=choice, form=form)
    audio = [name for name in zipped.namelist() if not name.endswith(".json")]
    assert audio == [f"{folder(call)}/{name}" for name in names]


def test_holds_what_was_said_for_who_may_read_it(operator: Client) -> None:
    call, silent = recorded_call(caller=1), recorded_call(caller=1)
    Call.objects.filter(pk=call.pk).update(has_transcript=True)
    SegmentFactory.create(call=call, text="Good morning.")
    deaf = UserFactory.create()
    names = ("view_call", "download_recording")
    deaf.user_permissions.set(Permission.objects.filter(codename__in=names))

    told = taken(operator, call, silent)
    untold = taken(logged_in(deaf), call, silent)

    forms = [f"{folder(call)}/transcript.{form}" for form in FORMS]
    assert [name for name in told.namelist() if "transcript" in name] == forms
    assert b"Good morning." in told.read(f"{folder(call)}/transcript.txt")
    assert not any("transcript" in name for name in untold.namelist())
    read = AuditEntry.objects.get(action=AuditAction.TRANSCRIPT_READ)
    assert read.details["call_keys"] == [str(call.pk)]


def test_a_wav_has_the_audio_of_the_recording(operator: Client) -> None:
    call = recorded_call(caller=1.5)
    zipped = taken(operator, call, form="wav")
    samples, rate = sound(zipped, f"{folder(call)}/caller.wav")
    assert rate == 16_000
    assert np.array_equal(samples, tone(1.5))
    assert (
        hashlib.sha256(samples.tobytes()).hexdigest()
        == Recording.objects.get().pcm_sha256
    )


def test_stereo_has_the_caller_left_and_both_on_the_calls_clock(
    operator: Client,
) -> None:
    call = recorded_call(caller=1, called=2)
    late = Recording.objects.get(track__participant__raw_id=CALLED)
    Recording.objects.filter(pk=late.pk).update(origin_us=late.origin_us + 500_000)
    zipped = taken(operator, call, choice="stereo")
    samples, rate = sound(zipped, f"{folder(call)}/stereo.wav")
    assert (rate, samples.shape) == (16_000, (40_000, 2))
    left, right = samples[:, 0], samples[:, 1]
    assert np.array_equal(left[:16_000], tone(1))
    assert not left[16_000:].any()
    assert not right[:8_000].any()
    assert np.array_equal(right[8_000:], tone(2))


def test_stereo_begins_with_the_calls_clock_though_nobody_spoke_yet(
    operator: Client,
) -> None:
    call = recorded_call(caller=1, called=2)
    early = (call.origin_us or 0) - 250_000
    Call.objects.filter(pk=call.pk).update(origin_us=early)

    zipped = taken(operator, call, choice="stereo")

    samples, _rate = sound(zipped, f"{folder(call)}/stereo.wav")
    assert not samples[:4_000].any()
    assert np.array_equal(samples[4_000:20_000, 0], tone(1))
    assert np.array_equal(samples[4_000:, 1], tone(2))


def test_stereo_of_two_rates_has_the_higher_one(operator: Client) -> None:
    call = recorded_call(caller=1)
    who = ParticipantFactory.create(call=call, raw_id=CALLED)
    track = TrackFactory.create(call=call, participant=who, sample_rate=24_000)
    stored_recording(tone(2, 24_000), 24_000, call=call, track=track)
    zipped = taken(operator, call, choice="stereo")
    samples, rate = sound(zipped, f"{folder(call)}/stereo.wav")
    assert (rate, samples.shape) == (24_000, (48_000, 2))
    assert np.array_equal(samples[:, 1], tone(2, 24_000))
    assert samples[:24_000, 0].any()
    assert not samples[24_100:, 0].any()


def test_stereo_of_three_is_the_mix(operator: Client) -> None:
    call = recorded_call(caller=1, called=1, third=1, mix=1)
    zipped = taken(operator, call, choice="stereo")
    assert f"{folder(call)}/mix.wav" in zipped.namelist()


def test_the_mix_of_one_voice_is_that_voice(operator: Client) -> None:
    call = recorded_call(caller=1)
    zipped = taken(operator, call, choice="mix")
    assert f"{folder(call)}/caller.flac" in zipped.namelist()


def test_a_party_with_two_rates_has_two_files(operator: Client) -> None:
    call = recorded_call(caller=1)
    who = Recording.objects.get().track
    assert who is not None
    track = TrackFactory.create(
        call=call, participant=who.participant, sample_rate=24_000
    )
    stored_recording(tone(1, 24_000), 24_000, call=call, track=track)
    names = taken(operator, call).namelist()
    audio = [name for name in names if name.endswith(".flac")]
    assert len(set(audio)) == 2


def test_a_missing_file_does_not_break_the_zip(operator: Client) -> None:
    call, whole = recorded_call(caller=1, called=2), recorded_call(caller=1)
    gone = Recording.objects.get(call=call, track__participant__raw_id=CALLER)
    recording_delete(gone.audio)
    zipped = taken(operator, call, whole)
    names = zipped.namelist()
    assert f"{folder(call)}/caller.flac" not in names
    assert f"{folder(call)}/called.flac" in names
    assert f"{folder(whole)}/caller.flac" in names
    error = zipped.read(f"{folder(call)}/ERROR.txt").decode()
    assert "caller.flac" in error
    assert f"{folder(whole)}/ERROR.txt" not in names
    manifest = json.loads(zipped.read("manifest.json"))
    assert manifest["problems"] == 1
    told = {one["call"]: one for one in manifest["calls"]}
    assert list(told[str(call.pk)]["problems"]) == [f"{folder(call)}/caller.flac"]
    assert told[str(call.pk)]["files"] == [f"{folder(call)}/called.flac"]
    assert told[str(whole.pk)]["problems"] == {}


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_a_file_that_is_not_what_was_verified_is_named(
    operator: Client, form: str
) -> None:
    call = recorded_call(caller=1)
    recording = Recording.objects.get()
    with recording_open(recording.audio) as file:
        path = file.name
    with open(path, "r+b") as stored:  # noqa: PTH123 as a disk would do it
        stored.seek(-2_000, io.SEEK_END)
        stored.truncate()
    zipped = taken(operator, call, form=form)
    if form == "flac":
        assert (
            "not those that were verified"
            in zipped.read(f"{folder(call)}/ERROR.txt").decode()
        )
    assert json.loads(zipped.read("manifest.json"))["problems"] == 1


def test_a_call_without_recordings_is_named(operator: Client) -> None:
    call = CallFactory.create(ended=True, rang_at=NOON)
    RecordingFactory.create(call=call, state="failed")
    zipped = taken(operator, call)
    assert zipped.namelist() == [
        f"{folder(call)}/call.json",
        f"{folder(call)}/ERROR.txt",
        "manifest.json",
    ]


def test_no_name_in_the_zip_tells_a_number(operator: Client) -> None:
    call = recorded_call(caller=1, called=1, third=1, mix=1)
    for name in taken(operator, call, choice="both").namelist():
        assert "2065550100" not in name


def test_it_is_on_the_audit_log_before_the_first_byte(operator: Client) -> None:
    call = recorded_call(caller=1)
    response = operator.post(
        f"{LIST}export/", {"chosen": str(call.pk), "choice": "both", "form": "wav"}
    )
    # Nothing of the body was read yet.
    entry = AuditEntry.objects.get(action=AuditAction.RECORDINGS_EXPORTED)
    assert entry.actor_key == int(operator.session["_auth_user_id"])
    assert entry.call_key == call.pk
    assert entry.details == {
        "calls": 1,
        "audio": "both",
        "format": "wav",
        "call_keys": [str(call.pk)],
    }
    assert response.status_code == 200


def test_who_may_not_download_gets_nothing(auditor: Client, stranger: Client) -> None:
    call = recorded_call(caller=1)
    for client in (auditor, stranger):
        response = client.post(f"{LIST}export/", {"chosen": str(call.pk)})
        assert response.status_code == 403
    assert 'value="export"' not in auditor.get(f"{LIST}?view=all").content.decode()
    assert not AuditEntry.objects.filter(action=AuditAction.RECORDINGS_EXPORTED)


@pytest.mark.parametrize("chosen", ["", "x", "x,y", ",,,", "0" * 32])
def test_calls_that_are_not_there_are_no_zip(operator: Client, chosen: str) -> None:
    response = operator.post(f"{LIST}export/", {"chosen": chosen})
    assert response.status_code == 302
    assert not AuditEntry.objects.filter(action=AuditAction.RECORDINGS_EXPORTED)


# --- choosing ---------------------------------------------------------------------


def choose(client: Client, query: str = "", **form: Any) -> Any:
    return client.post(f"{LIST}?{query}", {"action": "export", "index": "0", **form})


def test_shows_how_much_it_will_be(operator: Client) -> None:
    call, other = recorded_call(caller=1, mix=1), CallFactory.create(ended=True)
    response = choose(operator, _selected_action=[call.pk, other.pk])
    assert response.status_code == 200
    context = response.context
    assert (context["calls"], context["with_audio"]) == (2, 1)
    track = Recording.objects.get(track__isnull=False)
    assert context["flac_bytes"] == track.audio_bytes
    assert set(context["chosen"].split(",")) == {str(call.pk), str(other.pk)}
    assert not context["is_cut"]


def test_takes_all_that_match_up_to_a_limit_and_says_so(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_CALLS", 3)
    made = CallFactory.create_batch(5, ended=True, rating=1)
    CallFactory.create(ended=True, rating=5)
    response = choose(
        operator, "rating=low&rows=25", select_across="1", _selected_action=[made[0].pk]
    )
    context = response.context
    assert (context["calls"], context["is_cut"]) == (3, True)
    assert "only the first 3" in response.content.decode()
    # The first of the list: the newest.
    newest = sorted(made, key=lambda call: call.rang_at, reverse=True)[:3]
    assert context["chosen"].split(",") == [str(call.pk) for call in newest]


def test_offers_nothing_to_download_where_there_is_nothing(operator: Client) -> None:
    call = CallFactory.create(ended=True)
    page = choose(operator, _selected_action=[call.pk]).content.decode()
    assert "there is nothing to download" in page
    assert ">Download<" not in page


def test_a_wav_cannot_be_longer_than_its_header_can_tell() -> None:
    assert len(wav_header(2_147_483_000, 16_000)) == 44
    with pytest.raises(TooLongError):
        wav_header(2_147_483_647, 16_000)
    with pytest.raises(TooLongError):
        wav_header(1_500_000_000, 16_000, channels=2)


def test_a_name_with_few_rights_sees_no_call_to_choose() -> None:
    client = logged_in(member_of("auditor"))
    call = recorded_call(caller=1)
    assert "export/" not in client.get(f"{LIST}?view=all").content.decode()
    assert choose(client, _selected_action=[call.pk]).status_code in (200, 302)
    assert not AuditEntry.objects.filter(action=AuditAction.RECORDINGS_EXPORTED)
