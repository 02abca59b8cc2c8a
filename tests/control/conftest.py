"""Fixtures of the control tests."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.control.bench import Bench, running_bench
from tests.control.by_hand import ByHand, bench_by_hand
from tests.control.line import Line
from tests.control.wire import eventgrid_query


@pytest.fixture(scope="session")
def emulator_bench() -> Iterator[Bench]:
    """Run one emulator for all tests of this process."""
    with running_bench(eventgrid_query()) as bench:
        yield bench


@pytest.fixture(scope="module")
def running_by_hand() -> Iterator[ByHand]:
    with bench_by_hand(eventgrid_query()) as bench:
        yield bench


@pytest.fixture
def by_hand(running_by_hand: ByHand, settings: Settings) -> ByHand:
    """Point the settings at an emulator whose time the test moves."""
    pointed_at(running_by_hand, settings)
    return running_by_hand


@pytest.fixture
def bench(emulator_bench: Bench, settings: Settings) -> Bench:
    """Point the settings at the emulator, and forget what earlier tests left."""
    return pointed_at(emulator_bench, settings)


def pointed_at(emulator_bench: Bench, settings: Settings) -> Bench:
    settings.ACS_ENDPOINT = emulator_bench.url
    settings.ACS_ACCESS_KEY = emulator_bench.access_key
    settings.ACS_RESOURCE_ID = emulator_bench.resource_id
    settings.ACS_OPENID_URL = (
        f"{emulator_bench.url}/calling/.well-known/acsopenidconfiguration"
    )
    settings.PUBLIC_URL = emulator_bench.public_url
    settings.MEDIA_URL_BASE = emulator_bench.media_url
    settings.CALLBACK_AUTH = "required"
    while not emulator_bench.letters.empty():
        emulator_bench.letters.get_nowait()
    return emulator_bench


@pytest.fixture
def line(bench: Bench) -> Iterator[Line]:
    line = Line(bench)
    yield line
    if line.rung and line.report()["state"] in ("connecting", "connected"):
        line.hang_up()
