"""Calls of before get the figures that new ones are kept with."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def back_again() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


@pytest.mark.usefixtures("back_again")
def test_old_calls_get_their_figures() -> None:
    MigrationExecutor(connection).migrate([("calls", "0006_console")])
    state = MigrationExecutor(connection).loader.project_state(
        [("calls", "0006_console")]
    )
    calls, people, tracks = (
        state.apps.get_model("calls", name).objects
        for name in ("Call", "Participant", "Track")
    )
    over = calls.create(
        rang_at=NOON,
        connected_at=NOON + timedelta(seconds=2),
        ended_at=NOON + timedelta(seconds=62),
        state="ended",
    )
    live = calls.create(rang_at=NOON, state="connected")
    for raw_id, name in (("8:acs:b", "Ada"), ("4:+1206", ""), ("mixed", "")):
        who = people.create(id=uuid4(), call=over, raw_id=raw_id, display_name=name)
        tracks.create(
            id=uuid4(),
            call=over,
            participant=who,
            sample_rate=16_000,
            origin_us=0,
            packets=100,
            silent_packets=50 if name else 5,
            first_packet_at=NOON,
            last_packet_at=NOON,
        )

    MigrationExecutor(connection).migrate([("calls", "0007_archive")])

    # As the table was then: later releases have columns more.
    state = MigrationExecutor(connection).loader.project_state(
        [("calls", "0007_archive")]
    )
    calls = state.apps.get_model("calls", "Call").objects
    then = calls.get(pk=over.pk)
    assert (then.duration_ms, then.silence_ratio) == (60_000, 0.2)
    assert (then.people_count, then.people_text) == (2, "4:+1206\n8:acs:b Ada")
    assert "ada" in then.search_text
    now = calls.get(pk=live.pk)
    assert (now.duration_ms, now.silence_ratio, now.people_count) == (None, None, None)
