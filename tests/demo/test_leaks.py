"""What looks for leaks finds each kind, and nothing where there is none."""

import pytest

from tests.demo.leaks import leaks_in

PLANTED = {
    "SECRET_KEY": "s3cr3t/key+",
    "number 4:+12065550100": "4:+12065550100",
    "name Mei": "Mei Tanaka",
    "words w": "a parcel that never arrived",
}
INNOCENT = """
2026-11-29T20:06:55.501000+00:00 [info] GET /media/*** 101 [web] pid=4711 took 2065550
call 44c7bff2-3359-4c2f-9f5e-b3c1fe32c927: streaming of participant 3f2c: 120655501 us
acsstream_packets_total{node="demo"} 12065550101.0
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("key is s3cr3t/key+", "SECRET_KEY"),
        ("call of 4:+12065550100", "number 4:+12065550100"),
        ("call of +1 206 555 0100", "number 4:+12065550100"),
        ("call of (206) 555-0100", "number 4:+12065550100"),
        ("?q=%2B12065550100&x", "number 4:+12065550100"),
        ("Mei Tanaka rang", "name Mei"),
        ("said: a parcel that never arrived.", "words w"),
        ("Authorization: Bearer abc.def-ghi", "bearer"),
        ("got eyJhbGciOiJub25lIn0.cccccc", "token"),
        ("POST /webhooks/calls/AbCdEf-123456_x", "secret in a path"),
        ("Data: " + "Ab0+" * 40, "audio"),
        ("pressed 4711#", "keys"),
        ("incomingCallContext': 'AbCdEfGhIjKlMnOp'", "context"),
    ],
)
def test_finds_what_is_planted(line: str, found: str) -> None:
    assert leaks_in(INNOCENT + line + INNOCENT, PLANTED) == [found]


def test_finds_nothing_in_what_may_be_logged() -> None:
    assert leaks_in(INNOCENT, PLANTED) == []
