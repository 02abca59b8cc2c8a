"""Calls that were to be streamed and of which nothing ever came."""

from datetime import UTC, datetime

import pytest

from calls.figures import calls_figures_refresh
from calls.lifecycle import NOTHING_CAME, call_ended, streaming_refused
from calls.models import Call, StreamingState
from tests.factories import CallFactory, TrackFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ended(**facts: object) -> Call:
    """Return a call in that state after ACS said that it is over."""
    call = CallFactory.create(live=True)
    Call.objects.filter(pk=call.pk).update(
        **{"desired_streaming": True, "last_packet_at": None, **facts}
    )
    call_ended(call.pk, at=NOW, code=200, subcode=7000, reason="over")
    call.refresh_from_db()
    return call


@pytest.mark.parametrize("state", ["requested", "connecting", "stalled"])
def test_a_call_of_which_nothing_came_has_failed_and_is_incomplete(state: str) -> None:
    call = ended(streaming_state=state, completeness=None)

    assert call.streaming_state == StreamingState.FAILED
    assert call.streaming_reason == NOTHING_CAME
    assert list(Call.objects.incomplete()) == [call]


def test_a_reason_that_is_known_stays() -> None:
    call = ended(streaming_state="connecting", streaming_reason="token refused")

    assert call.streaming_state == StreamingState.FAILED
    assert call.streaming_reason == "token refused"


@pytest.mark.parametrize(
    "facts",
    [
        {"streaming_state": "streaming"},
        {"streaming_state": "connecting", "last_packet_at": NOW},
        {"streaming_state": "connecting", "desired_streaming": False},
        {"streaming_state": "stopped"},
    ],
)
def test_a_call_that_was_heard_or_not_wanted_has_stopped(
    facts: dict[str, object],
) -> None:
    call = ended(completeness=1.0, **facts)

    assert call.streaming_state == StreamingState.STOPPED
    assert not Call.objects.incomplete().exists()


def test_rows_that_come_late_take_it_back() -> None:
    call = ended(streaming_state="connecting", completeness=None)
    TrackFactory.create(call=call)

    calls_figures_refresh([call.pk])

    call.refresh_from_db()
    assert call.streaming_state == StreamingState.STOPPED
    assert call.streaming_reason == ""


def test_a_refused_socket_is_told_on_the_call_to_its_end() -> None:
    call = CallFactory.create(live=True, streaming_state="requested")
    Call.objects.update(desired_streaming=True, last_packet_at=None)

    streaming_refused(call.pk, "its token was refused: it has expired")
    call_ended(call.pk, at=NOW, code=200, reason="over")

    call.refresh_from_db()
    assert call.streaming_state == StreamingState.FAILED
    assert "token was refused: it has expired" in call.streaming_reason
