"""Prompts in storage and in the library."""

import hashlib
import io
import logging
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

import soundfile
from django.db import transaction
from django.utils.translation import gettext as _

from calls.audio.pcm import encode
from calls.models import CommandKind, Prompt, StreamCommand
from calls.prompts.decoding import RATES
from calls.prompts.preparing import PreparedPrompt
from calls.storage import recording_delete, recording_open, recording_save

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FOLDER = "prompts"

log = logging.getLogger(__name__)


class PromptStorageError(Exception):
    """Storage did not take a prompt's audio; the message says how, for who sent it."""


def prompt_add(
    prompt: Prompt,
    prepared: PreparedPrompt,
    *,
    source_name: str = "",
    added_by: "User | None" = None,
) -> Prompt:
    """Store a prompt's audio, read it back, and write its row.

    Bytes before the row: a row always has its audio. Without a row no bytes stay.
    Raises `PromptStorageError`.
    """
    figures = prepared.figures
    prompt.sha256_16k = figures.sha256[16_000]
    prompt.sha256_24k = figures.sha256[24_000]
    prompt.source_name = source_name[:255]
    prompt.source_format = figures.format
    prompt.duration_ms = figures.samples[24_000] * 1000 // 24_000
    prompt.source_level_dbfs = figures.level_before
    prompt.level_dbfs = figures.level_dbfs
    prompt.added_by = added_by
    names: dict[int, str] = {}
    try:
        for rate in RATES:
            names[rate] = _stored(prompt.pk, rate, prepared)
        prompt.audio_16k, prompt.audio_24k = names[16_000], names[24_000]
        with transaction.atomic():
            prompt.save(force_insert=True)
    except BaseException:
        files_remove(names.values())
        raise
    return prompt


def _stored(key: uuid.UUID, rate: int, prepared: PreparedPrompt) -> str:
    name = f"{FOLDER}/{key}/{rate}-{prepared.figures.sha256[rate][:12]}.flac"
    is_saved = False
    try:
        name = recording_save(name, io.BytesIO(prepared.flacs[rate]))
        is_saved = True
        with recording_open(name) as file:
            samples, _rate = soundfile.read(io.BytesIO(file.read()), dtype="int16")
        is_same = (
            hashlib.sha256(encode(samples)).hexdigest()
            == (prepared.figures.sha256[rate])
        )
    except Exception as exc:
        # Every storage has errors of its own.
        log.exception("prompt %s: its audio at %d Hz was not stored", key, rate)
        if is_saved:
            files_remove([name])
        words = _("The storage did not take the audio (%s). Nothing was added.")
        raise PromptStorageError(words % type(exc).__name__) from exc
    if not is_same:
        files_remove([name])
        raise PromptStorageError(
            _("The audio that was read back is not what was stored. Nothing was added.")
        )
    return name


def was_asked_for(prompt: Prompt) -> bool:
    """Say whether anybody ever asked for a prompt to be played, or it was heard."""
    asked = StreamCommand.objects.filter(
        kind=CommandKind.PLAY_PROMPT, arguments__prompt=str(prompt.pk)
    )
    return prompt.utterances.exists() or asked.exists()


def audio_remove(prompt: Prompt) -> None:
    """Remove a prompt's files. Its row must be gone by then."""
    files_remove((prompt.audio_16k, prompt.audio_24k))


def files_remove(names: Iterable[str]) -> None:
    """Remove files that no row names; what cannot be removed is an orphan, and told."""
    for name in names:
        try:
            recording_delete(name)
        except Exception as exc:  # noqa: BLE001 every storage has errors of its own
            log.warning("%s was not removed: %s", name, type(exc).__name__)
