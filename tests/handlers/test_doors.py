"""What a handler asks of its recorder: prompts, orders, and that its words are kept."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import soundfile
from asgiref.sync import sync_to_async
from pytest_django import Settings

from calls.models import Call, CommandKind, Prompt, StreamCommand, TranscriptSegment
from streaming.archive import Archive
from streaming.call_audio import CallAudio
from streaming.handlers.access import CallAccess, order_give
from streaming.handlers.bench import BenchCall
from streaming.handlers.line import CallLine, PromptAudio
from streaming.outbound import ItemKind, ItemState
from tests.factories import CallFactory
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import metadata, voice

GREETING = b"".join(voice(number) for number in range(25))


def prompt(**fields: Any) -> Prompt:
    named = {"name": "Greeting", "audio_16k": "greeting-16.flac", "audio_24k": "gone"}
    return Prompt.objects.create(
        **{**named, "duration_ms": 500, "level_dbfs": -20.0, **fields}
    )


@pytest.fixture
def library(settings: Settings, tmp_path: Path) -> Path:
    """Return the folder of prompts' audio, with a greeting in it."""
    options = {"location": str(tmp_path)}
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = settings.STORAGES | {
        "recordings": {"BACKEND": backend, "OPTIONS": options}
    }
    samples = np.frombuffer(GREETING, "<i2")
    soundfile.write(tmp_path / "greeting-16.flac", samples, 16_000, "PCM_16")
    return tmp_path


@pytest.mark.django_db
def test_an_order_is_a_command_of_nobody_with_its_reason() -> None:
    call = CallFactory.create(live=True)

    assert order_give(call.pk, "hang_up", "the caller said goodbye", {}) == ""

    command = StreamCommand.objects.get()
    assert (command.kind, command.asked_by) == (CommandKind.HANG_UP, None)
    assert command.why == "the caller said goodbye"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "told"),
    [("hang_up", "has ended"), ("start", "cannot order “start”")],
)
def test_an_order_that_makes_no_sense_is_refused_in_words(kind: str, told: str) -> None:
    call = CallFactory.create(ended=True)

    assert told in order_give(call.pk, kind, "to be sure", {})
    assert not StreamCommand.objects.exists()


@pytest.fixture
async def archive() -> AsyncIterator[Archive]:
    archive = Archive()
    yield archive
    archive.close(wait=True)


@pytest.mark.django_db(transaction=True)
async def test_what_was_said_in_words_becomes_rows_and_the_newest_word_stands(
    archive: Archive,
) -> None:
    call: Call = await sync_to_async(CallFactory.create)(live=True)
    doors = CallAccess(CallAudio(call.pk), archive, lambda: None, lambda _: None)
    first, second = (CallLine("own", doors, print) for _ in range(2))

    for text, is_cut in (("Good mor", True), ("Good morning", False)):
        first.transcript(
            number=0, raw_id="us", text=text, start_us=5, duration_us=7, is_cut=is_cut
        )
    second.transcript(number=0, raw_id="us", text="Again", start_us=9)
    assert await archive.flush()

    rows = TranscriptSegment.objects.order_by("start_us").values_list(
        "text", "start_us", "duration_us", "is_cut", "raw_id"
    )
    assert [row async for row in rows] == [
        ("Good morning", 5, 7, False, "us"),
        ("Again", 9, 0, False, "us"),
    ]


@pytest.mark.django_db(transaction=True)
async def test_a_prompt_is_read_sample_for_sample_unless_it_is_not_to_be_had(
    archive: Archive, library: Path
) -> None:
    greeting = await sync_to_async(prompt)()
    await sync_to_async(prompt)(name="Old", is_withdrawn=True)
    await sync_to_async(prompt)(name="Lost", audio_16k="gone.flac")
    doors = CallAccess(CallAudio(uuid4()), archive, lambda: None, lambda _: None)
    line = CallLine("own", doors, print)
    line.rate = 16_000

    read = await line.prompt("Greeting")
    assert isinstance(read, PromptAudio)
    assert (read, read.prompt) == (GREETING, greeting.pk)
    for name in ("Old", "Lost", "Farewell"):
        with pytest.raises(LookupError, match=f"no prompt “{name}”"):
            await line.prompt(name)


def test_a_prompt_that_a_handler_plays_counts_as_played_and_nothing_else() -> None:
    bench, prompt_id = BenchCall(), uuid4()
    line = CallLine("own", bench, print)
    line.rate = 16_000

    line.send_audio(PromptAudio.of(prompt_id, GREETING))
    line.send_audio(GREETING)

    assert [item.prompt for item in bench.items] == [prompt_id, None]


def test_words_without_a_socket_are_in_the_journal_of_the_next(tmp_path: Path) -> None:
    archive = Archive()
    with Desk(tmp_path) as desk:
        desk.call.now(OPENED, time.monotonic())
        doors = CallAccess(desk.call, archive, lambda: None, lambda _: None)
        line = CallLine("own", doors, print)
        line.transcript(number=0, raw_id="us", text="Are you there?", start_us=5)

        session = desk.socket()
        session.take(metadata(), 0)
        line.transcript(number=1, raw_id="us", text="Here you are.", start_us=9)
        desk.seal(session)
        archive.close(wait=True)

        said = [segment.text for segment in desk.replay().segments()]
    assert said == ["Are you there?", "Here you are."]


def test_a_handler_that_falls_silent_lets_an_operator_be_heard() -> None:
    bench = BenchCall()
    line = CallLine("own", bench, print)
    line.rate = 16_000
    theirs = bench.begin(kind=ItemKind.PROMPT, name="notice")
    bench.write(theirs, GREETING)
    bench.finish(theirs)
    saying = line.send_audio(GREETING)
    bench.pass_time(100)

    [cut] = line.stop_audio()
    bench.pass_time(500)

    assert (cut.saying, cut.played_ms) == (saying, 0)
    assert (theirs.state, bytes(bench.heard)) == (ItemState.PLAYED, GREETING)
