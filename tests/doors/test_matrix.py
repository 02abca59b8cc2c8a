"""What proves nothing is refused, at each door for machines of real processes."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.fuzz_bodies import Target, fuzz_bodies
from benchmarks.fuzz_frames import fuzz_frames, true_stream
from calls.doors.capability import call_secret
from streaming.websocket.http import CROWD
from tests.doors.installation import (
    FAILURES,
    UNASKED,
    Installation,
    callback,
    installation,
)
from tests.doors.keys import FORGERIES, KeyServer, key_server, token
from tests.streaming.conftest import migrated as migrated

DOORS = ("media", "transcription", "callback")
TAKEN = {"media": 101, "transcription": 101, "callback": 200}
ENDED = 8
# Of `make fuzz`, what there is time for.
FRAMES, BODIES = 2000, 120


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with key_server() as keys:
        yield keys


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path, keys: KeyServer
) -> Iterator[Installation]:
    """One installation for all of this module: nothing here may harm it."""
    with installation(tmp_path_factory.mktemp("site"), migrated, keys) as site:
        yield site


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_token_that_proves_nothing_is_refused(
    site: Installation, door: str, forge: Callable[[], str]
) -> None:
    call_id = site.calls[0]

    status, _ = site.knock(door, call_secret(call_id), forge())

    assert status == 401
    assert site.kept(call_id) == 0


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("twist", ["another key's", "one letter", "spelt otherwise"])
def test_a_secret_that_we_did_not_make_is_refused(
    site: Installation, door: str, twist: str
) -> None:
    true = call_secret(site.calls[0])
    wrong = {
        "another key's": call_secret(uuid4())[:22] + true[22:],
        "one letter": true[:30] + ("A" if true[30] != "A" else "B") + true[31:],
        "spelt otherwise": f"{true[:20]}!{true[20:]}",
    }

    status, _ = site.knock(door, wrong[twist], token())

    assert status in (403, 404)
    assert site.kept(site.calls[0]) == 0


@pytest.mark.parametrize("door", DOORS)
def test_another_calls_secret_does_not_open(site: Installation, door: str) -> None:
    # Token and ids are of call 1; the secret is that of call 2.
    status, _ = site.knock(door, call_secret(site.calls[2]), token(), number=1)

    assert status == 403
    assert site.kept(site.calls[1]) == site.kept(site.calls[2]) == 0


@pytest.mark.parametrize("door", DOORS[:2])
@pytest.mark.parametrize("header", ["connection", "correlation"])
def test_one_wrong_call_id_is_enough_to_be_refused(
    site: Installation, door: str, header: str
) -> None:
    call_id = site.calls[3]
    headers = {
        "Authorization": f"Bearer {token()}",
        "x-ms-call-connection-id": "connection 3",
        "x-ms-call-correlation-id": "correlation 3",
        f"x-ms-call-{header}-id": "another",
    }

    status, _ = site.dial(door, call_secret(call_id), headers)

    assert status == 403
    assert site.kept(call_id) == 0


@pytest.mark.parametrize("door", DOORS)
def test_the_secret_of_a_call_that_is_over_is_refused(
    site: Installation, door: str
) -> None:
    call_id = site.calls[ENDED]

    status, _ = site.knock(door, call_secret(call_id), token(), number=ENDED)

    assert status == 403
    assert site.kept(call_id) == 0


def test_a_replayed_callback_is_taken_and_changes_nothing(site: Installation) -> None:
    call_id, body = site.calls[4], callback(4, "replayed")
    headers = {"Authorization": f"Bearer {token()}"}
    path = f"calls/{call_secret(call_id)}"

    answers = [site.post(path, body, headers)[0] for _ in range(3)]
    elsewhere = site.post(f"calls/{call_secret(site.calls[5])}", body, headers)[0]

    assert answers == [200, 200, 200]
    assert site.kept(call_id) == 1
    assert (elsewhere, site.kept(site.calls[5])) == (403, 0)


@pytest.mark.parametrize("door", DOORS)
def test_who_fails_too_often_waits_and_nobody_else(
    site: Installation, door: str
) -> None:
    secret, bad = call_secret(site.calls[6]), site.new_source()
    deadline = time.monotonic() + 60
    while (told := site.knock(door, secret, "", source=bad))[0] != 429:
        assert told[0] == 401
        assert time.monotonic() < deadline

    # Not even the one whose source it shares is kept out.
    true = site.knock(door, secret, token(), number=6, source=bad)[0]
    other = site.knock(door, secret, "")[0]

    assert int(told[1]) > 0
    assert (true, other) == (TAKEN[door], 401)


def test_forwarded_addresses_are_read_from_the_end(site: Installation) -> None:
    secret, bad = call_secret(site.calls[6]), site.new_source()
    for number in range(2 * FAILURES):
        status, _ = site.knock(
            "callback", secret, "", source=f"192.0.2.{number}, {bad}"
        )

    # What the client wrote itself would have made a new source of it each time.
    assert status == 429


def test_silent_connections_make_room_for_who_speaks(site: Installation) -> None:
    address = ("127.0.0.1", site.house.port)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address, 60))
            for _ in range(CROWD * UNASKED + 1)
        ]

        status, _ = site.knock("media", call_secret(site.calls[6]), token(), number=6)

        assert status == 101
        # The oldest had to go, long before its time.
        with suppress(ConnectionResetError):
            assert silent[0].recv(1) == b""


def test_some_hostile_frames_break_nothing(site: Installation) -> None:
    seen = fuzz_frames(site.house.port, site.ingest, FRAMES, 1, token)

    assert seen.faults == []
    assert seen.taken >= FRAMES
    assert true_stream(site.house.port, token()) == []


def test_some_hostile_bodies_break_nothing(site: Installation) -> None:
    target = Target(f"/webhooks/calls/{call_secret(site.calls[6])}", "connection 6")
    eventgrid = "/webhooks/eventgrid?secret=tests%20only"

    seen = fuzz_bodies(
        *(site.web_port, site.web, BODIES, 1, [target] * 4),
        eventgrid=eventgrid,
        token=token,
    )

    assert seen.faults == []
    # They are read, not only turned away.
    assert {"200", "400"} <= set(seen.answers)
    assert sum(seen.answers.values()) == BODIES


def test_true_tokens_outlast_an_outage_of_the_key_server(
    site: Installation, keys: KeyServer
) -> None:
    keys.is_down = True
    for door in DOORS:
        site.knock(door, call_secret(site.calls[7]), FORGERIES["unknown kid"]())
        status, _ = site.knock(door, call_secret(site.calls[7]), token(), number=7)
        assert status == TAKEN[door]
    keys.is_down = False


def test_forged_tokens_do_not_hammer_the_key_server(
    site: Installation, keys: KeyServer
) -> None:
    began, before = time.monotonic(), keys.requests.count("/discovery")
    for _ in range(10):
        for door in DOORS:
            forged = FORGERIES["unknown kid"]()
            site.knock(door, call_secret(site.calls[0]), forged)

    # Two processes; each asks again after half a minute at the soonest.
    most = 2 * (1 + (time.monotonic() - began) // 30)
    assert keys.requests.count("/discovery") - before <= most
