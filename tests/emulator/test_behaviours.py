"""The behaviours nobody has confirmed: each does what its option says."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from emulator.options import Behaviour, OptionError, Settings
from tests.emulator.conftest import Bench, MakeBench
from tests.emulator.test_media import check_hashes, played


async def test_a_second_start_can_be_ignored(make_bench: MakeBench) -> None:
    bench = await make_bench(double_start="ignore")
    call = await bench.ring()
    await bench.answer(call)
    await bench.app.callback("MediaStreamingStarted")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    await connection.start_media_streaming(operation_context="again")

    again = await bench.app.callback("MediaStreamingStarted", 2)
    assert again["operationContext"] == "again"
    assert len(bench.app.sockets) == 1


async def test_a_redial_can_be_announced_and_have_a_new_subscription(
    bench: Bench,
) -> None:
    plan = {
        "duration": 14,
        "actions": [{"at": 10, "do": "redial", "delay": 0.2, "code": 1012}],
        "options": {"announce_redial": True, "redial_subscription": "new"},
    }
    report = await played(bench, plan)

    first, second = bench.app.sockets
    assert first.messages[0] != second.messages[0]
    assert first.close_code == 1012
    started = bench.app.callbacks_of("MediaStreamingStarted")
    details = [
        each["mediaStreamingUpdate"]["mediaStreamingStatusDetails"] for each in started
    ]
    assert details == ["subscriptionStarted", "streamConnectionReestablished"]
    check_hashes(bench.app, report)


async def test_the_socket_can_open_after_call_connected(bench: Bench) -> None:
    order: list[str] = []

    def connected() -> int:
        order.append(f"{len(bench.app.sockets)} sockets")
        return 200

    bench.app.callback_status = connected
    options = {"socket_order": "after", "socket_delay": 3}
    await played(bench, {"duration": 15, "options": options})

    assert order[0] == "0 sockets"
    assert len(bench.app.sockets) == 1


async def test_a_hang_up_can_send_stopped_and_any_close_code(bench: Bench) -> None:
    options = {"hangup_sends_stopped": True, "hangup_code": 4000}
    await played(bench, {"duration": 10, "options": options})

    assert bench.app.kinds()[-2:] == ["MediaStreamingStopped", "CallDisconnected"]
    assert bench.app.sockets[0].close_code == 4000


async def test_headers_and_compression_can_be_added(bench: Bench) -> None:
    options = {
        "extra_headers": "ms-cv: abc; User-Agent: Microsoft",
        "compression": True,
        "ping_seconds": 0.05,
    }
    report = await played(bench, {"duration": 10, "options": options})

    headers = bench.app.sockets[0].headers
    assert (headers["ms-cv"], headers["User-Agent"]) == ("abc", "Microsoft")
    assert "permessage-deflate" in headers["Sec-WebSocket-Extensions"]
    check_hashes(bench.app, report)


@pytest.mark.parametrize(("length", "expected"), [("640", 640), ("absent", None)])
async def test_the_frame_length_at_24_khz_can_be_wrong(
    bench: Bench, length: str, expected: int | None
) -> None:
    options = {"length_24k": length}
    await played(bench, {"duration": 10, "options": options}, rate=24_000)

    metadata = bench.app.sockets[0].messages[0]["audioMetadata"]
    assert metadata.get("length") == expected


async def test_keys_can_be_spelt_out_and_say_more(bench: Bench) -> None:
    app = bench.app
    options = {"dtmf_spelling": "word", "dtmf_details": True}
    actions = [{"at": 10, "do": "dtmf", "tones": "0*#D", "participant": "4:+1"}]
    plan = {"duration": 14, "options": options, "actions": actions}
    await played(bench, plan, enable_dtmf_tones=True)

    tones = [each["dtmfData"] for each in app.sockets[0].of_kind("DtmfData")]
    assert [each["data"] for each in tones] == ["zero", "asterisk", "pound", "d"]
    assert {each["participantRawID"] for each in tones} == {"4:+1"}
    stamps = {each["timestamp"] for each in app.sockets[0].audio}
    assert {each["timestamp"] for each in tones} <= stamps


async def test_callback_times_can_be_shorter(bench: Bench) -> None:
    options = {"callback_digits": 0, "callback_content_type": "text/plain"}
    await played(bench, {"duration": 1, "options": options})

    for event in bench.app.callbacks:
        assert "." not in event["time"]
    headers, _ = bench.app.callback_requests[0]
    assert headers["Content-Type"] == "text/plain"


async def test_callbacks_can_be_slow(bench: Bench) -> None:
    options = {"callback_delay": 1.0}
    report = await played(bench, {"duration": 1, "options": options})

    # Four callbacks, a second before each.
    began = datetime.fromisoformat(report["participants"][0]["first_timestamp"])
    now = datetime.fromisoformat((await bench.get("/emulator/health"))["now"])
    assert now - began > timedelta(seconds=3)


TEXTS: list[tuple[str, Any, Any]] = [
    ("port", "8601", 8601),
    ("speed", 2, 2.0),
    ("strict", "on", True),
    ("strict", False, False),
]


@pytest.mark.parametrize(("name", "given", "expected"), TEXTS)
def test_settings_are_read_from_text_and_json(
    name: str, given: Any, expected: Any
) -> None:
    assert getattr(Settings.parse({name: given}), name) == expected


@pytest.mark.parametrize("value", [True, None, [], "x", -1])
def test_numbers_must_be_numbers(value: Any) -> None:
    with pytest.raises(OptionError, match="dial_attempts"):
        Behaviour.parse({"dial_attempts": value})


def test_a_behaviour_builds_on_another() -> None:
    base = Behaviour.parse({"on_stop": "keep"})

    assert Behaviour.parse({"stop_code": 1001}, base=base).on_stop == "keep"
