"""The command that makes a large archive, clearly synthetic."""

import sys

import pytest
from django.db import connection

from benchmarks import archive_fill
from calls.models import Alarm, Call, Participant, Recording, Track
from tests.factories import CallFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def fill(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["archive_fill", *options])
    return archive_fill.main()


def test_makes_calls_that_could_be_real(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        with pytest.raises(SystemExit):
            fill(monkeypatch, "--calls", "10")
        assert not Call.objects.exists()
        return
    assert fill(monkeypatch, "--calls", "300") == 0
    assert Call.objects.count() == 300
    answered = Call.objects.filter(state="ended")
    assert Participant.objects.count() == 2 * answered.count()
    for model in (Track, Recording, Alarm):
        assert model.objects.exists()
    for call in answered:
        assert call.duration_ms is not None
        assert (
            abs(call.duration_ms - call.duration(call.rang_at).total_seconds() * 1000)
            < 1
        )
        assert call.end_reason == "Synthetic."
    with connection.cursor() as cursor:
        # Dropped for the filling, and made again.
        cursor.execute(
            "SELECT count(*) FROM pg_indexes WHERE indexname = 'calls_by_grams'"
        )
        assert cursor.fetchone() == (1,)


def test_refuses_an_archive_that_has_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    CallFactory.create(ended=True)
    with pytest.raises(SystemExit):
        fill(monkeypatch, "--calls", "10")
    assert Call.objects.count() == 1
