"""What a live call's page says of what is being said."""

import time
from typing import Any

import pytest

from calls.models import Call
from calls.watched_call import call_facts, call_now
from tests.factories import PromptFactory, UtteranceFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def speaking(call: Call, *, at: float) -> list[dict[str, Any]]:
    facts = call_facts(call.pk)
    assert facts
    return [dict(one) for one in call_now(facts, None, at=at)["speaking"]]


def test_says_what_is_heard_how_far_it_is_and_what_waits(call: Call) -> None:
    now = time.time()
    notice = PromptFactory.create(name="Recording notice", duration_ms=4_000)
    first = {"state": "playing", "start_us": int((now - 1.5) * 1e6)}
    UtteranceFactory.create(call=call, prompt=notice, **first)
    UtteranceFactory.create(
        call=call, kind="talk", name="bob", prompt=None, state="queued", start_us=None
    )

    playing, waiting = speaking(call, at=now)

    assert playing["seconds"] == pytest.approx(1.5, abs=0.01)
    assert (playing["name"], playing["waits"], playing["of"]) == (
        "Recording notice",
        False,
        4.0,
    )
    assert (waiting["name"], waiting["waits"], waiting["of"]) == ("bob", True, None)


def test_says_nothing_of_what_is_over(call: Call) -> None:
    for state in ("played", "stopped", "failed"):
        UtteranceFactory.create(call=call, state=state)
    assert speaking(call, at=time.time()) == []


def test_says_nothing_once_the_call_is_over(call: Call) -> None:
    UtteranceFactory.create(call=call, state="playing")
    Call.objects.filter(pk=call.pk).update(state="ended")
    assert speaking(call, at=time.time()) == []
