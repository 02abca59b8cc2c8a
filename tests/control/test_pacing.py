"""Turns at ACS: shared by all workers, kept in a real Redis."""

import time
from itertools import pairwise

import pytest
import redis
from pytest_django import Settings

from calls import pacing


@pytest.fixture(autouse=True)
def ten_a_second(settings: Settings, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    settings.ACS_RATE = 10
    with redis.Redis.from_url(redis_url) as client:
        client.delete(pacing.KEY)


# Turns are told in steps of 1 ms; ten of them are let pass.
STEP = 0.01


class Turn:
    """A turn of two requests: when it is due, no sooner and no later than that."""

    def __init__(self) -> None:
        self.asked_at = time.monotonic()
        self.wait = pacing.turn_take(2)
        self.earliest = self.asked_at + self.wait
        self.latest = time.monotonic() + self.wait


def test_the_first_goes_at_once_and_the_rest_waits_in_line() -> None:
    turns = [Turn() for _ in range(26)]

    first, *_, last = turns
    assert first.wait == 0.0
    # 50 requests before the last, at 10 a second, of which one goes at once. Takers who
    # come late are late.
    came = last.asked_at - first.asked_at
    assert last.latest - first.earliest > 4.9 - STEP
    assert last.earliest - first.latest < 4.9 + STEP + came
    assert all(
        two.latest - one.earliest > 0.2 - STEP for one, two in pairwise(turns[1:])
    )


def test_a_taker_who_waited_keeps_others_from_its_turn() -> None:
    taken = [Turn() for _ in range(10)]

    assert Turn().latest - taken[-1].earliest > 0.2 - STEP


def test_nobody_goes_while_acs_gets_too_many() -> None:
    pacing.hold(60)

    assert pacing.turn_take(1) > 50


def test_holding_does_not_shorten_the_line(settings: Settings) -> None:
    settings.ACS_RATE = 1
    for _ in range(40):
        pacing.turn_take(2)

    pacing.hold(1)

    assert pacing.turn_take(1) > 50


def test_questions_wait_for_each_other() -> None:
    assert [pacing.turn_wait(1) for _ in range(5)] == [True] * 5


def test_questions_let_orders_go_first() -> None:
    for _ in range(10):
        pacing.turn_take(2)

    assert not pacing.turn_wait(1)


def test_without_a_rate_nobody_waits(settings: Settings) -> None:
    settings.ACS_RATE = 0
    pacing.hold(60)

    assert {pacing.turn_take(100) for _ in range(10)} == {0.0}


def test_without_redis_nobody_waits(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    assert {pacing.turn_take(100) for _ in range(3)} == {0.0}
