"""Who a request is from, whatever was forwarded by whom."""

from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from calls.doors.networks import group_of
from calls.doors.sources import direct, source, source_of
from calls.doors.strikes import Strikes
from streaming.crowd import Crowd


@pytest.fixture(autouse=True)
def proxies(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.9, 10.0.0.8", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("fd00::1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("", "198.51.100.7", ""),
        ("10.0.0.1", "1.2.3.4," + "10.0.0.2," * 40 + "10.0.0.3", "10.0.0.2"),
    ],
)
def test_forwarding_is_believed_of_our_proxies_alone(
    peer: str, forwarded: str, found: str
) -> None:
    assert source(peer, forwarded) == found


def test_reads_it_from_a_request_of_django() -> None:
    asked = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "198.51.100.7"}
    )

    assert source_of(asked) == "198.51.100.7"
    assert source_of(None) == ""


def scope(peer: str, *headers: tuple[bytes, bytes], kind: str = "http") -> Any:
    scheme = "http" if kind == "http" else "ws"
    made = {"type": kind, "client": (peer, 1), "scheme": scheme}
    return made | {"headers": [(b"host", b"x"), *headers]}


FORWARDED = (
    (b"x-forwarded-for", b"192.0.2.9"),
    (b"x-forwarded-for", b"198.51.100.7"),
    (b"x-forwarded-proto", b"https"),
)


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_behind_a_proxy_a_scope_is_the_clients(kind: str, scheme: str) -> None:
    seen = direct(scope("10.0.0.1", *FORWARDED, kind=kind))

    assert (seen["client"][0], seen["scheme"]) == ("198.51.100.7", scheme)
    assert seen["headers"] == [(b"host", b"x")]


def test_a_stranger_forwards_nothing() -> None:
    seen = direct(scope("192.0.2.1", *FORWARDED))

    assert (seen["client"][0], seen["scheme"]) == ("192.0.2.1", "http")
    assert seen["headers"] == [(b"host", b"x")]


def test_addresses_of_one_customer_are_one_source() -> None:
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff") == "2001:db8::/64"
    assert group_of("192.0.2.1") != group_of("192.0.2.2")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_who_fails_often_waits_longer_and_is_forgiven() -> None:
    clock = Clock()
    strikes = Strikes(6, clock=clock)

    waits = [strikes.strike("192.0.2.1") for _ in range(20)]
    clock.now += 130

    assert waits[:6] == [0] * 6
    assert waits[6:] == sorted(waits[6:])
    assert (waits[6], waits[-1]) == (10, 60)
    assert strikes.strike("192.0.2.1") == 0
    assert strikes.strike("192.0.2.2") == 0


def test_any_number_of_sources_fits_into_bounded_memory() -> None:
    strikes = Strikes(6, sources=100)

    for number in range(5000):
        strikes.strike(f"10.0.{number // 250}.{number % 250}")

    assert len(strikes) == 100


def test_a_source_holds_as_many_sockets_as_it_may() -> None:
    crowd = Crowd(1)

    with crowd.held("a") as first, crowd.held("a") as second, crowd.held("b") as other:
        assert (first, second, other) == (True, False, True)
    with crowd.held("a") as again:
        assert again

    assert len(crowd) == 0
