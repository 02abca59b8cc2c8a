"""What a media socket is refused for, by mode, once its secret is known."""

from uuid import uuid4

import pytest
from pytest_django import Settings

from calls.drafts import CallFacts
from streaming.auth import Caller, connection_fault

CALLER = Caller("secret", "", "Connection-1", "correlation-1")
KNOWN = CallFacts(True, "connection-1", "CORRELATION-1")
FAULTS = {
    "x-ms-call-connection-id": CallFacts(True, "connection-2", "correlation-1"),
    "x-ms-call-correlation-id": CallFacts(True, "connection-1", "correlation-2"),
    "has ended": CallFacts(True, "connection-1", is_secret_dead=True),
}


@pytest.mark.parametrize("named", FAULTS)
def test_log_only_takes_and_tells_what_required_refuses(
    settings: Settings, caplog: pytest.LogCaptureFixture, named: str
) -> None:
    settings.MEDIA_AUTH = "required"
    fault = connection_fault(CALLER, uuid4(), FAULTS[named])
    assert fault is not None
    assert named in fault.reason
    assert not caplog.records

    settings.MEDIA_AUTH = "log_only"
    assert connection_fault(CALLER, uuid4(), FAULTS[named]) is None
    [line] = caplog.messages
    assert fault.reason in line


def test_a_socket_that_agrees_is_taken_without_a_word(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MEDIA_AUTH = "required"

    assert connection_fault(CALLER, uuid4(), KNOWN) is None
    assert not caplog.records
