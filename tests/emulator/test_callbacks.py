"""Callbacks and Event Grid: what is posted, how often, and when nobody listens."""

import json
from datetime import datetime
from typing import Any

import jwt
import pytest

from emulator.tokens import CALLBACK_LIFETIME
from tests.emulator.app import App
from tests.emulator.conftest import Bench, MakeBench
from tests.emulator.test_media import verified


async def test_posts_cloud_events_as_they_were_recorded(bench: Bench) -> None:
    call = await bench.ring(**{"from": "4:+12065550100", "duration": 10})
    await bench.answer(call)
    await bench.finished(call)

    assert bench.app.kinds() == [
        "CallConnected",
        "ParticipantsUpdated",
        "MediaStreamingStarted",
        "CallDisconnected",
    ]
    for event in bench.app.callbacks:
        source = f"calling/callConnections/{call['call_connection_id']}"
        assert event["source"] == event["subject"] == source
        assert event["specversion"] == "1.0"
        data = event["data"]
        assert data["version"] == "2026-03-12"
        assert data["publicEventType"] == event["type"]
        assert data["serverCallId"] == call["server_call_id"]
        assert data["correlationId"] == call["correlation_id"]
        assert datetime.fromisoformat(event["time"]).utcoffset() is not None
    assert "operationContext" not in bench.app.callbacks[1]["data"]
    assert bench.app.callbacks[3]["data"]["resultInformation"]["subCode"] == 7000
    for _, body in bench.app.callback_requests:
        assert b"+" not in body
        assert b"\\u002B00:00" in body


async def test_each_callback_has_a_token_of_its_own(bench: Bench) -> None:
    call = await bench.ring(duration=10)
    await bench.answer(call)
    await bench.finished(call)

    requests = bench.app.callback_requests
    tokens = [headers["Authorization"].split()[1] for headers, _ in requests]
    assert len(set(tokens)) == len(tokens) == 4
    for token in tokens:
        claims = await verified(bench, token)
        assert claims["exp"] - claims["iat"] == CALLBACK_LIFETIME


async def test_goes_to_the_operations_own_address(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call, start=False)
    await bench.app.callback("CallConnected")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    async with App() as other:
        await connection.start_media_streaming(
            operation_callback_url=other.url + "/callbacks", operation_context="here"
        )
        started = await other.callback("MediaStreamingStarted")

    assert started["operationContext"] == "here"
    assert started["mediaStreamingUpdate"]["mediaStreamingStatusDetails"] == (
        "subscriptionStarted"
    )
    assert "MediaStreamingStarted" not in bench.app.kinds()


async def test_tries_again_when_a_callback_is_not_accepted(bench: Bench) -> None:
    answers = iter([500, 404, 503])
    bench.app.callback_status = lambda: next(answers, 200)
    call = await bench.ring(duration=10)
    await bench.answer(call)

    report = await bench.finished(call)

    assert report["callbacks"]["attempts"] == 4 + 3
    assert len(report["callbacks"]["delivered"]) == 4
    ids = [json.loads(body)[0]["id"] for _, body in bench.app.callback_requests[:4]]
    assert len(set(ids)) == 1


async def test_gives_up_after_bounded_attempts(make_bench: MakeBench) -> None:
    bench = await make_bench(callback_attempts=2)
    bench.app.callback_status = lambda: 500
    call = await bench.ring(duration=10)
    await bench.answer(call)
    while not (report := await bench.report(call))["finished"]:
        pass

    assert report["callbacks"]["delivered"] == []
    assert len(report["callbacks"]["failed"]) == 4
    assert report["callbacks"]["attempts"] == 8


CASES: list[tuple[dict[str, Any], list[list[str]]]] = [
    (
        {"callback_order": "reversed"},
        [["ParticipantsUpdated"], ["CallConnected"], ["CallDisconnected"]],
    ),
    (
        {"callback_batch": True},
        [["CallConnected", "ParticipantsUpdated"], ["CallDisconnected"]],
    ),
    (
        {"callback_copies": 2},
        [
            ["CallConnected"],
            ["CallConnected"],
            ["ParticipantsUpdated"],
            ["ParticipantsUpdated"],
            ["CallDisconnected"],
            ["CallDisconnected"],
        ],
    ),
    (
        {"callbacks_lost": "ParticipantsUpdated,CallConnected"},
        [["CallDisconnected"]],
    ),
]


@pytest.mark.parametrize(("options", "expected"), CASES)
async def test_delivers_as_oddly_as_asked(
    bench: Bench, options: Any, expected: list[list[str]]
) -> None:
    call = await bench.ring(duration=1, options=options)
    await bench.client.answer_call(
        call["incoming_call_context"], bench.app.url + "/callbacks"
    )
    while not (await bench.report(call))["finished"]:
        pass

    posted = [json.loads(body) for _, body in bench.app.callback_requests]
    kinds = [[each["type"].rpartition(".")[2] for each in batch] for batch in posted]
    assert kinds == expected
    copies = [json.dumps(batch) for batch in posted]
    assert len(set(copies)) == len(copies) // options.get("callback_copies", 1)


async def test_tells_when_a_call_cannot_be_connected(bench: Bench) -> None:
    call = await bench.ring(faults={"answer": "failed"})
    await bench.answer(call)

    failed = await bench.app.callback("AnswerFailed")

    assert failed["operationContext"] == "answered"
    assert failed["resultInformation"]["code"] == 500
    assert bench.app.kinds() == ["AnswerFailed"]
    assert bench.app.sockets == []


async def test_waits_for_the_event_grid_end_point(make_bench: MakeBench) -> None:
    async with App() as later:
        url = later.url
    bench = await make_bench(eventgrid_url=url + "/events")
    call = await bench.ring()
    assert (await bench.get("/emulator/health"))["event_grid"] == "pending"
    assert (await bench.report(call))["state"] == "ringing"

    later.port = int(url.rpartition(":")[2])
    async with later:
        await later.until(lambda: len(later.events) >= 2)

    assert later.events[-1]["data"]["serverCallId"] == call["server_call_id"]
    assert (await bench.get("/emulator/health"))["event_grid"] == "validated"


async def test_does_not_trust_another_validation_code(
    make_bench: MakeBench, app: App
) -> None:
    app.validation = "made up"
    bench = await make_bench(eventgrid_url=app.url + "/events", eventgrid_wait=0.0)
    call = await bench.ring()
    while (report := await bench.report(call))["event_grid"] == {}:
        pass

    assert report["event_grid"]["validation"] == "failed"
    assert [each["data"].keys() for each in app.events] == [{"validationCode"}]


async def test_announces_nothing_without_a_validated_end_point(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(
        eventgrid_url=bench_url("127.0.0.1:9"), eventgrid_wait=0.0, ring_seconds=3600
    )
    call = await bench.ring()
    while (report := await bench.report(call))["event_grid"] == {}:
        pass

    assert report["event_grid"] == {
        "validation": "failed",
        "delivered": 0,
        "attempts": 0,
    }


def bench_url(address: str) -> str:
    """Return a URL at which nobody listens (9 is the discard port)."""
    return f"http://{address}/events"


async def test_incoming_calls_can_come_twice(make_bench: MakeBench, app: App) -> None:
    bench = await make_bench(eventgrid_url=app.url + "/events", eventgrid_copies=2)

    await bench.ring()
    await app.until(lambda: len(app.events) == 3)

    assert app.events[1] == app.events[2]


TOKEN_FAULTS = [
    ("expired", jwt.ExpiredSignatureError),
    ("wrong_audience", jwt.InvalidAudienceError),
    ("wrong_issuer", jwt.InvalidIssuerError),
    ("unsigned", jwt.PyJWKClientError),
    ("unknown_key", jwt.PyJWKClientError),
]


@pytest.mark.parametrize(("fault", "error"), TOKEN_FAULTS)
async def test_tokens_can_be_wrong(
    bench: Bench, fault: str, error: type[Exception]
) -> None:
    faults = {"token": fault, "callback_token": fault}
    call = await bench.ring(duration=10, faults=faults)
    await bench.answer(call)
    await bench.finished(call)

    callback_headers, _ = bench.app.callback_requests[0]
    for headers in (bench.app.sockets[0].headers, callback_headers):
        with pytest.raises(error):
            await verified(bench, headers["Authorization"].split()[1])
