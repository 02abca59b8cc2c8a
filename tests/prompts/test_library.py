"""The library in the admin: what comes in, what is heard, what may go."""

import hashlib
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import soundfile
from django.contrib.auth.models import Permission
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from calls.audio.pcm import encode
from calls.models import AuditAction, AuditEntry, Prompt
from calls.storage import recording_exists, recording_open, recordings_list
from calls.verification import orphans
from tests.console.conftest import logged_in
from tests.factories import (
    CommandFactory,
    PromptFactory,
    UserFactory,
    UtteranceFactory,
)
from tests.prompts.sounds import file_of, prompt_made, tone

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/prompt/"
ADD = f"{LIST}add/"


@pytest.fixture
def editor() -> Client:
    """A browser with a member of staff who keeps the library."""
    user = UserFactory.create(username="ada")
    names = [f"{what}_prompt" for what in ("view", "add", "change", "delete")]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return logged_in(user)


def sent(client: Client, content: bytes, name: str = "Notice", **fields: Any) -> Any:
    file = SimpleUploadedFile("notice.wav", content, content_type="audio/wav")
    return client.post(ADD, {"name": name, "file": file, "note": "", **fields})


def fetched(client: Client, url: str, **more: Any) -> Any:
    return client.get(url, **more)


def page_of(prompt: Prompt) -> str:
    return f"{LIST}{prompt.pk}/change/"


def in_storage() -> set[str]:
    return {name for names in recordings_list() for name in names}


def pcm_sha256(name: str) -> tuple[str, int]:
    with recording_open(name) as file:
        samples, rate = soundfile.read(io.BytesIO(file.read()), dtype="int16")
    return hashlib.sha256(encode(samples)).hexdigest(), rate


# --- what comes in ----------------------------------------------------------------


def test_keeps_a_file_at_both_rates_with_the_checksums_of_its_pcm(
    editor: Client,
) -> None:
    assert sent(editor, file_of(tone(1.5))).status_code == 302

    prompt = Prompt.objects.get(name="Notice")
    assert pcm_sha256(prompt.audio_16k) == (prompt.sha256_16k, 16_000)
    assert pcm_sha256(prompt.audio_24k) == (prompt.sha256_24k, 24_000)
    assert prompt.duration_ms == 1_500
    assert (prompt.source_name, prompt.source_format) == (
        "notice.wav",
        "WAV, 48 kHz, mono",
    )
    assert str(prompt.added_by) == "ada"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"hello", "This is no audio file"), (file_of(tone()) + b"", "already exists")],
)
def test_keeps_nothing_of_what_it_refuses(
    editor: Client, content: bytes, words: str
) -> None:
    PromptFactory.create(name="Notice")
    before = in_storage()

    answer = sent(editor, content)

    assert words in answer.content.decode()
    assert Prompt.objects.count() == 1
    assert in_storage() == before


class WideRefusing(FileSystemStorage):
    """Takes no file at 24 kHz, and gives none: with an error of its own kind."""

    def _save(self, name: str, content: Any) -> str:
        if "24000-" in name:
            raise RuntimeError("the bucket is full")
        saved: str = super()._save(name, content)  # type: ignore[misc] # no stub
        return saved

    def _open(self, name: str, mode: str = "rb") -> Any:
        if Prompt.objects.exists():
            raise RuntimeError("the bucket is away")
        return super()._open(name, mode)  # type: ignore[misc] # no stub


def refusing(settings: Any) -> None:
    options = settings.STORAGES["recordings"]["OPTIONS"]
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": f"{__name__}.WideRefusing", "OPTIONS": options}
    }


def test_says_what_storage_refused_and_keeps_no_half_of_a_prompt(
    editor: Client, settings: Any
) -> None:
    refusing(settings)
    before = in_storage()

    page = editor.get(sent(editor, file_of(tone())).url)

    assert "did not take the audio (RuntimeError). Nothing was added." in (
        page.content.decode()
    )
    assert not Prompt.objects.exists()
    assert in_storage() == before


def test_shows_a_prompt_without_its_waveform_while_storage_is_away(
    editor: Client, settings: Any
) -> None:
    prompt = prompt_made()
    assert "prompt-wave" in editor.get(page_of(prompt)).content.decode()

    refusing(settings)
    page = editor.get(page_of(prompt))

    assert page.status_code == 200
    assert "prompt-wave" not in page.content.decode()


def test_says_how_large_a_file_may_be(editor: Client, settings: Any) -> None:
    settings.PROMPT_MAX_MB = 1
    answer = sent(editor, file_of(tone(15.0)))
    assert "The file is larger than 1 MB" in answer.content.decode()


def test_notes_who_added_what(editor: Client) -> None:
    sent(editor, file_of(tone()))

    [entry] = AuditEntry.objects.filter(action=AuditAction.PROMPT_CHANGED)
    assert (entry.actor, entry.object_title) == ("ada", "Notice")
    assert entry.details["fields"]["file"] == "notice.wav"


def test_lets_operators_look_and_not_change(operator: Client) -> None:
    prompt = prompt_made()

    assert operator.get(LIST).status_code == 200
    assert 'href="/admin/calls/prompt/"' in operator.get("/admin/").content.decode()
    assert operator.get(page_of(prompt)).status_code == 200
    assert operator.get(ADD).status_code == 403
    operator.post(page_of(prompt), {"name": "Other", "is_withdrawn": "on"})
    assert Prompt.objects.get().name == prompt.name


# --- what is heard ----------------------------------------------------------------


def test_plays_what_calls_hear_range_by_range(auditor: Client) -> None:
    prompt = prompt_made()
    url = f"/prompts/{prompt.pk}/audio"

    whole = b"".join(fetched(auditor, url).streaming_content)
    part = fetched(auditor, url, headers={"range": "bytes=10-19"})

    assert soundfile.info(io.BytesIO(whole)).samplerate == 24_000
    assert part.status_code == 206
    assert b"".join(part.streaming_content) == whole[10:20]


def test_plays_nothing_to_who_may_neither_see_nor_play_prompts(
    stranger: Client,
) -> None:
    assert stranger.get(f"/prompts/{prompt_made().pk}/audio").status_code == 403
    assert Client().get(f"/prompts/{prompt_made('x').pk}/audio").status_code == 403


def test_shows_its_waveform_and_both_levels(editor: Client) -> None:
    prompt = prompt_made()

    page = editor.get(page_of(prompt)).content.decode()

    assert '<svg class="prompt-wave"' in page
    assert f'src="/prompts/{prompt.pk}/audio"' in page
    assert "-20.0 dBFS, from notice.wav (WAV, 48 kHz, mono, -23.0 dBFS)" in page
    assert 'type="file"' not in page


# --- what may go ------------------------------------------------------------------


def test_withdraws_a_prompt_and_notes_it(editor: Client) -> None:
    prompt = prompt_made()

    editor.post(page_of(prompt), {"name": prompt.name, "is_withdrawn": "on"})

    prompt.refresh_from_db()
    assert prompt.is_withdrawn
    [entry] = AuditEntry.objects.filter(action=AuditAction.PROMPT_CHANGED)
    assert entry.details["fields"] == {"is_withdrawn": [False, True]}


def test_removes_a_withdrawn_prompt_and_its_files(
    editor: Client, django_capture_on_commit_callbacks: Any
) -> None:
    prompt = prompt_made()
    Prompt.objects.update(is_withdrawn=True)

    with django_capture_on_commit_callbacks(execute=True):
        editor.post(f"{LIST}{prompt.pk}/delete/", {"post": "yes"})

    assert not Prompt.objects.exists()
    assert not recording_exists(prompt.audio_16k)
    assert not recording_exists(prompt.audio_24k)


@pytest.mark.parametrize("state", ["offered", "heard", "asked for"])
def test_keeps_what_is_offered_and_what_was_ever_asked_for(
    editor: Client, state: str
) -> None:
    prompt = PromptFactory.create(is_withdrawn=state != "offered")
    if state == "heard":
        UtteranceFactory.create(prompt=prompt)
    elif state == "asked for":
        arguments = {"prompt": str(prompt.pk)}
        CommandFactory.create(kind="play_prompt", arguments=arguments)

    answer = editor.post(f"{LIST}{prompt.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert Prompt.objects.filter(pk=prompt.pk).exists()


def test_offers_no_way_to_remove_several_at_once(root: Client) -> None:
    PromptFactory.create(is_withdrawn=True)
    assert "delete_selected" not in root.get(LIST).content.decode()


def test_its_files_are_no_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "YOUNG", timedelta(0))
    prompt = prompt_made()

    named = {one.subject_id for one in orphans.orphans_verify(timezone.now())}
    assert not {prompt.audio_16k, prompt.audio_24k} & named

    Prompt.objects.all().delete()
    named = {one.subject_id for one in orphans.orphans_verify(timezone.now())}
    assert {prompt.audio_16k, prompt.audio_24k} <= named


def test_a_row_that_cannot_be_written_leaves_no_files(editor: Client) -> None:
    before = in_storage()
    prompt_made("Notice")
    kept = in_storage() - before

    with pytest.raises(Exception, match=r"(?i)unique"):
        prompt_made("Notice")

    assert in_storage() - before == kept
    assert isinstance(Prompt.objects.get().pk, UUID)
