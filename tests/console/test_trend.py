"""The last hour in points: taken by beat, whether somebody looks or not."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from calls.board.trend import POINTS, STEP, TREND_KEY, slot_of, trend_note, trend_of
from calls.tasks import note_trend
from tests.console.snapshots import live_call, live_track, publish, snapshot
from tests.factories import AlarmFactory, CallFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture(autouse=True)
def client(settings: Any, redis_url: str) -> Any:
    settings.REDIS_URL = redis_url
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


def points(client: Any) -> dict[int, dict[str, Any]]:
    return {int(key): json.loads(one) for key, one in client.hgetall(TREND_KEY).items()}


def test_beat_takes_a_point_of_what_is_live(client: Any, redis_url: str) -> None:
    call = CallFactory.create(live=True)
    CallFactory.create(ended=True)
    track = live_track("a", packets=400, silent_packets=100)
    publish(redis_url, snapshot(streams=3, calls=[live_call(call, [track])]))
    note_trend()
    [point] = points(client).values()
    assert point == {
        "live_calls": 1,
        "packets_per_second": 150,
        "silence_ratio": 0.25,
        "alarms": 0,
    }


def test_where_nothing_is_heard_silence_is_not_known(client: Any) -> None:
    note_trend()
    [point] = points(client).values()
    assert (point["live_calls"], point["silence_ratio"]) == (0, None)


def test_each_alarm_is_counted_once(client: Any) -> None:
    slot = slot_of(time.time())
    at = datetime.fromtimestamp(slot * STEP, UTC)
    for ago in (-1, 0, 1, STEP, STEP + 1):
        AlarmFactory.create(opened_at=at - timedelta(seconds=ago))
    for step in range(-1, 3):
        trend_note((slot + step) * STEP + 5)
    found = points(client)
    # The one that opened as a step began belongs to that step.
    assert [found[slot + step]["alarms"] for step in range(-1, 3)] == [1, 2, 2, 0]


def test_a_point_taken_twice_is_one_point(client: Any) -> None:
    now = time.time()
    slot = slot_of(now)
    trend_note(slot * STEP + 1)
    trend_note(slot * STEP + 9)
    assert list(points(client)) == [slot]


def test_what_is_older_than_an_hour_goes(client: Any) -> None:
    now = time.time()
    trend_note(now - POINTS * STEP)
    trend_note(now - (POINTS - 1) * STEP)
    trend_note(now)
    slot = slot_of(now)
    assert sorted(points(client)) == [slot - POINTS + 1, slot]
    assert 0 < client.ttl(TREND_KEY) <= POINTS * STEP


def test_without_redis_there_is_no_point_and_no_fault(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = NOWHERE
    note_trend()
    assert "the trend has no point" in caplog.text


def point(calls: int) -> bytes:
    return json.dumps(
        {
            "live_calls": calls,
            "packets_per_second": 100,
            "silence_ratio": None,
            "alarms": 0,
        }
    ).encode()


def test_a_point_that_nobody_took_is_not_nought() -> None:
    trend = trend_of({b"100": point(4), b"102": point(6)}, 102)
    assert trend["live_calls"][-3:] == [4, None, 6]
    assert trend["live_calls"].count(None) == len(trend["live_calls"]) - 2
    assert trend["silence_ratio"][-1] is None
    assert len(trend["live_calls"]) == POINTS


def test_ends_with_the_newest_point_while_the_next_is_due() -> None:
    found = {b"100": point(4)}
    assert trend_of(found, 101)["live_calls"][-1] == 4
    assert trend_of(found, 101)["at"] == 1000
    # Nobody has taken one for half a minute: the line has stopped.
    assert trend_of(found, 103)["live_calls"][-4:] == [4, None, None, None]
