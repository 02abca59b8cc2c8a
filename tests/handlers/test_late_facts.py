"""A database that says too late what a call's profile is."""

import pytest
from asgiref.sync import sync_to_async

from calls import identity
from streaming import consumers
from streaming.recorder import Recorder
from tests.factories import CallFactory, ProfileFactory
from tests.streaming.house import eventually
from tests.streaming.test_consumer import Server, house
from tests.streaming.wire import audio, metadata

__all__ = ["house"]

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_call_has_its_handler_once_the_database_answers(
    house: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = await sync_to_async(ProfileFactory.create)(
        handler="tests.handlers.characters.Note", bidirectional=True
    )
    await sync_to_async(CallFactory.create)(
        id=identity.call_id("late"), connection_id="late", live=True, profile=profile
    )
    monkeypatch.setattr(consumers, "FACTS_TIMEOUT", 0.0)

    server = Server(x_ms_call_connection_id="late")
    server.receive(metadata(), audio(0))
    await eventually(lambda: house.streams == 1)
    [call] = house.calls.values()
    assert call.handler is None
    await eventually(lambda: call.handler and call.handler.state == "running")
    server.receive(audio(1), audio(2))
    await eventually(lambda: call.handler and call.handler.frames == 2)

    assert call.speaker is not None
    await server.end()
