"""Recordings in a container: stored, read in parts, listed, and refused in words."""

import io
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests
from azure.storage.blob import ContainerClient
from django.test import Client
from pytest_django import Settings

from calls.checks.places import check_storage_answers
from calls.models import AuditEntry
from calls.preflight import Status, parts
from calls.storage import (
    StorageFaultError,
    recording_open,
    recording_save,
    recordings_list,
    storage_fault,
)
from demo.ports import free_port
from tests.azurite import KEY
from tests.console.conftest import operator as operator
from tests.console.conftest import stored_recording
from tests.faults.door import Door
from tests.storage.conftest import use

NAME = "2026/03/01/call/track.flac"
MANY = random.Random(3).randbytes(9 << 20)


def test_any_part_of_a_recording_is_had_without_the_rest(
    container: ContainerClient, door: Door
) -> None:
    recording_save(NAME, io.BytesIO(MANY))
    before = door.sent

    with recording_open(NAME) as stored:
        stored.seek(5 << 20)
        assert stored.read(1000) == MANY[5 << 20 :][:1000]
        stored.seek(-10, io.SEEK_END)
        assert stored.read() == MANY[-10:]
    assert door.sent - before < 2 << 20


def test_the_same_is_stored_once_and_nothing_is_written_over(
    container: ContainerClient,
) -> None:
    first = recording_save(NAME, io.BytesIO(b"one"))
    again = recording_save(NAME, io.BytesIO(b"one"))
    other = recording_save(NAME, io.BytesIO(b"two"))

    assert (first, again) == (NAME, NAME)
    assert container.download_blob(NAME).readall() == b"one"
    assert container.download_blob(other).readall() == b"two"


def test_files_are_listed_folder_by_folder_within_its_location(
    container: ContainerClient, options: dict[str, Any], settings: Settings
) -> None:
    use(settings, options | {"location": "kept/here"})
    container.upload_blob("elsewhere/file", b"not ours")
    for name in ("a/x", "a/b/y", "z"):
        recording_save(name, io.BytesIO(name.encode()))

    listed = list(recordings_list())
    assert listed == [["z"], ["a/x"], ["a/b/y"]]
    assert list(recordings_list("a/b")) == [["a/b/y"]]
    assert "kept/here/a/b/y" in set(container.list_blob_names())


def no_container(options: dict[str, Any]) -> None:
    options["azure_container"] = "nothing-here"


def wrong_key(options: dict[str, Any]) -> None:
    options["connection_string"] = options["connection_string"].replace(KEY, "d3Jvbmc=")


def nobody_there(options: dict[str, Any]) -> None:
    options["connection_string"] = re.sub(
        ":[0-9]+/", f":{free_port()}/", options["connection_string"]
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_container, "the container does not exist"),
        (wrong_key, "Azure does not let this machine in"),
        (nobody_there, "Azure cannot be reached"),
    ],
)
def test_what_is_wrong_is_told_in_words_with_what_to_do(
    container: ContainerClient,
    options: dict[str, Any],
    settings: Settings,
    spoil: Callable[[dict[str, Any]], None],
    words: str,
) -> None:
    spoil(options)
    use(settings, options)

    with pytest.raises(StorageFaultError, match=words) as refused:
        recording_save(NAME, io.BytesIO(b"audio"))
    assert refused.value.advice
    assert words in storage_fault()
    assert parts.check_storage().status == Status.RED
    [warning] = check_storage_answers()
    assert (warning.id, words in warning.msg) == ("acsstream.W020", True)


def test_a_full_account_is_told_and_so_is_that_it_works_again(
    container: ContainerClient, door: Door, options: dict[str, Any], settings: Settings
) -> None:
    door.is_full = True

    assert "the storage account is full (Azure answered 507" in storage_fault()
    door.is_full = False
    use(settings, options)
    assert storage_fault() == ""
    # Trying leaves nothing that anybody sees.
    assert list(container.list_blob_names()) == []


@pytest.mark.django_db
def test_a_browser_gets_the_range_it_asks_for(
    container: ContainerClient, operator: Client
) -> None:
    noise = np.random.default_rng(7).integers(-9_000, 9_000, 48_000).astype(np.int16)
    recording = stored_recording(noise)
    flac = container.download_blob(recording.audio).readall()

    address = f"/recordings/{recording.pk}/audio"
    answer = operator.get(address, headers={"Range": "bytes=1000-1999"})
    assert answer.status_code == 206
    assert answer.getvalue() == flac[1000:2000]


@pytest.mark.django_db
def test_a_browser_may_fetch_audio_from_azure_itself_for_a_minute(
    container: ContainerClient, operator: Client, settings: Settings
) -> None:
    settings.SIGNED_URLS = 60
    recording = stored_recording(np.zeros(16_000, np.int16))

    answer = operator.get(f"/recordings/{recording.pk}/audio")
    assert (answer.status_code, answer["Cache-Control"]) == (302, "no-store")
    fetched = requests.get(answer["Location"], timeout=30)
    assert fetched.content == container.download_blob(recording.audio).readall()
    unsigned = answer["Location"].split("?")[0]
    assert not requests.get(unsigned, timeout=30).ok
    origin = "/".join(answer["Location"].split("/")[:3])
    assert f"media-src 'self' blob: {origin};" in answer["Content-Security-Policy"]
    heard = AuditEntry.objects.get(action="recording_played")
    assert heard.object_key == str(recording.pk)


@pytest.mark.django_db
def test_a_storage_that_is_away_is_said_to_who_wants_to_listen(
    container: ContainerClient, operator: Client, door: Door
) -> None:
    recording = stored_recording(np.zeros(16_000, np.int16))
    door.target = free_port()

    for what in ("audio", "peaks", "download.wav"):
        answer = operator.get(f"/recordings/{recording.pk}/{what}")
        assert answer.status_code == 503
        assert b"Azure cannot be reached" in answer.content
