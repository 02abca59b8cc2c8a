"""What we said into a call is in its story and on its waveforms."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from calls.history import Entry, history_of, rows_of
from calls.models import Call
from tests.factories import (
    CallFactory,
    CommandFactory,
    PromptFactory,
    UserFactory,
    UtteranceFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def spoken(call: Call) -> list[Entry]:
    found = history_of(rows_of(call)).entries
    return [entry for entry in found if entry.kind == "spoken"]


def said(**fields: Any) -> Call:
    call: Call = CallFactory.create(ended=True)
    asked = CommandFactory.create(
        call=call, kind="play_prompt", asked_by=UserFactory.create(username="ada")
    )
    prompt = PromptFactory.create(name="Recording notice")
    UtteranceFactory.create(call=call, prompt=prompt, command=asked, **fields)
    return call


def test_tells_when_a_prompt_was_heard_and_who_had_it_played() -> None:
    call = said()

    begun, ended = spoken(call)

    assert begun.what == "Prompt “Recording notice”: begins"
    assert begun.source == "ada"
    assert call.connected_at
    assert begun.at == call.connected_at + timedelta(seconds=10)
    assert ended.what == "Prompt “Recording notice”: played"
    assert ended.told == "Heard: 4.0 s."
    assert ended.at - begun.at == timedelta(seconds=4)


def test_tells_how_much_was_heard_of_what_was_stopped_and_by_whom() -> None:
    call = said(state="stopped", played_ms=1_300, reason="stopped by bob")

    ended = spoken(call)[-1]

    assert ended.what == "Prompt “Recording notice”: stopped"
    assert ended.told == "Heard: 1.3 s, stopped by bob."
    assert ended.details["heard_ms"] == 1_300


def test_tells_why_nothing_was_heard() -> None:
    call = said(state="failed", start_us=None, played_ms=0, reason="no socket")

    [failed] = spoken(call)

    assert failed.told == "Nothing of it was heard, no socket."
    assert failed.tone == "bad"


def test_tells_what_waits_for_its_turn() -> None:
    [waits] = spoken(said(state="queued", start_us=None, played_ms=0))
    assert waits.what == "Prompt “Recording notice”: waits"


def test_names_who_spoke_from_the_console() -> None:
    call = CallFactory.create(ended=True)
    UtteranceFactory.create(call=call, kind="talk", name="bob", prompt=None)
    begun = spoken(call)[0]
    assert (begun.what, begun.source) == ("bob at the console: begins", "bob")


def test_marks_where_it_began_on_the_waveforms(operator: Client) -> None:
    call = said()

    moments = operator.get(f"/calls/{call.pk}/markers.json").json()

    [mark] = [one for one in moments if one["kind"] == "spoken"]
    assert mark["at"] == 10
    assert mark["label"] == "Prompt “Recording notice”"
