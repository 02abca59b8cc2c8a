"""What a live call's page says of what is being said."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from calls.journals.recovery import archive_sweep
from calls.journals.said import CUT_OFF
from calls.models import Call, Connection, Utterance
from calls.watched_call import call_now, watched_facts
from tests.factories import (
    CommandFactory,
    ConnectionFactory,
    ProcessFactory,
    PromptFactory,
    UtteranceFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def speaking(call: Call, *, at: float, ahead: float = 0) -> list[dict[str, Any]]:
    """Return what is said at a time of ours, which is `ahead` of Redis's."""
    facts = watched_facts(call.pk)
    assert facts
    now = datetime.fromtimestamp(at, UTC)
    return [
        dict(one) for one in call_now(facts, None, at=at - ahead, now=now)["speaking"]
    ]


@pytest.mark.parametrize("ahead", [0, 300, -300])
def test_says_what_is_heard_how_far_it_is_and_what_waits(
    call: Call, ahead: float
) -> None:
    now = time.time()
    notice = PromptFactory.create(name="Recording notice", duration_ms=4_000)
    first = {"state": "playing", "start_us": int((now - 1.5) * 1e6)}
    UtteranceFactory.create(call=call, prompt=notice, **first)
    UtteranceFactory.create(
        call=call, kind="talk", name="bob", prompt=None, state="queued", start_us=None
    )

    playing, waiting = speaking(call, at=now, ahead=ahead)

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


def test_says_nothing_of_what_a_process_that_died_was_saying(call: Call) -> None:
    begun = int((time.time() - 300) * 1e6)
    UtteranceFactory.create(call=call, state="playing", start_us=begun)
    assert speaking(call, at=time.time()) == []


def socket_of(call: Call, *, opened_at: datetime, renewed_at: datetime) -> Connection:
    """Return an open socket of a process that wrote its lease last at `renewed_at`."""
    process = ProcessFactory.create(renewed_at=renewed_at)
    socket: Connection = ConnectionFactory.create(
        call=call, process_id=process.pk, node=process.node, opened_at=opened_at
    )
    return socket


def test_what_a_killed_process_said_is_over_once_its_lease_has_run_out(
    call: Call, settings: Settings
) -> None:
    now = timezone.now()
    before = now - timedelta(seconds=60)
    settings.NODE = socket_of(call, opened_at=before, renewed_at=before).node
    order = CommandFactory.create(call=call, kind="play_prompt", state="sent")
    since = now - timedelta(seconds=40)
    talk, prompt = (
        UtteranceFactory.create(call=call, queued_at=since, **fields)
        for fields in (
            {"kind": "talk", "prompt": None, "state": "playing"},
            {"command": order, "state": "queued", "start_us": None},
        )
    )
    # ACS dialled again, and who took the call has something to say.
    redial = now - timedelta(seconds=20)
    socket_of(call, opened_at=redial, renewed_at=now)
    fresh = UtteranceFactory.create(call=call, queued_at=now, state="playing")

    archive_sweep(now=now)

    rows = {row.pk: row for row in Utterance.objects.all()}
    assert [rows[one.pk].reason for one in (talk, prompt)] == [CUT_OFF, CUT_OFF]
    assert [one["name"] for one in speaking(call, at=time.time())] == [fresh.name]
    order.refresh_from_db()
    assert (order.state, order.result) == (
        "failed",
        "Nothing of it was heard: the ingest process died.",
    )


def test_what_waits_for_a_redial_is_left_to_its_process(call: Call) -> None:
    now = timezone.now()
    closed = {"opened_at": now - timedelta(seconds=60), "closed_at": now}
    ConnectionFactory.create(call=call, **closed)
    UtteranceFactory.create(call=call, queued_at=now, state="queued", start_us=None)

    archive_sweep(now=now + timedelta(seconds=5))
    assert len(speaking(call, at=time.time())) == 1

    archive_sweep(now=now + timedelta(seconds=20))
    assert speaking(call, at=time.time()) == []
