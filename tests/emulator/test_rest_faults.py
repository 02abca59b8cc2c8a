"""REST requests that go wrong on purpose, and what repeating them does."""

import uuid
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from emulator.restfaults import OPERATIONS, parse_rest_faults
from tests.emulator.conftest import Bench, MakeBench
from tests.emulator.test_rest import post

AGENT = {"rawId": "8:acs:r_agent", "communicationUser": {"id": "8:acs:r_agent"}}
GUEST = {"rawId": "8:acs:r_guest", "communicationUser": {"id": "8:acs:r_guest"}}
IN_A_CALL: dict[str, tuple[str, Any]] = {
    "terminate": (":terminate", {}),
    "addParticipant": ("/participants:add", {"participantToAdd": GUEST}),
    "removeParticipant": ("/participants:remove", {"participantToRemove": AGENT}),
    "mute": ("/participants:mute", {"targetParticipants": [AGENT]}),
    "hold": (":hold", {"targetParticipant": AGENT}),
    "unhold": (":unhold", {"targetParticipant": AGENT}),
    "transfer": (":transferToParticipant", {"targetParticipant": GUEST}),
    "startMediaStreaming": (":startMediaStreaming", {}),
    "stopMediaStreaming": (":stopMediaStreaming", {}),
    "startTranscription": (":startTranscription", {"locale": "en-US"}),
    "stopTranscription": (":stopTranscription", {}),
    "updateTranscription": (":updateTranscription", {"locale": "de-DE"}),
}
"""The operations in a call that a request can repeat, with path and body."""


async def connected(bench: Bench, **plan: Any) -> Any:
    plan = {"participants": ["4:+12065550101", "8:acs:r_agent"], **plan}
    call = await bench.ring(**plan)
    before = bench.app.kinds().count("CallConnected")
    await bench.answer(call, start=False)
    await bench.app.callback("CallConnected", before + 1)
    return call


async def asked(bench: Bench, call: Any, operation: str, **headers: str) -> Any:
    """Send an operation in a call; return status and answer."""
    path, body = IN_A_CALL[operation]
    base = f"/calling/callConnections/{call['call_connection_id']}"
    return await post(bench, base + path, body, **headers)


async def effects(bench: Bench, call: Any) -> list[str]:
    report = await bench.report(call)
    return [each["operation"] for each in report["effects"]]


def new_id() -> dict[str, str]:
    return {"Repeatability-Request-ID": str(uuid.uuid4())}


@pytest.mark.parametrize("operation", sorted(IN_A_CALL))
async def test_a_repeated_request_has_one_effect(bench: Bench, operation: str) -> None:
    call = await connected(bench)
    repeated = new_id()

    first = await asked(bench, call, operation, **repeated)
    second = await asked(bench, call, operation, **repeated)

    assert first == second
    assert 200 <= first[0] < 300
    assert (await effects(bench, call)).count(operation) == 1
    counts = (await bench.report(call))["requests"][operation]
    assert counts == {str(first[0]): 2}


async def test_a_repeated_cancellation_has_one_effect(bench: Bench) -> None:
    call = await connected(bench, faults={"unanswered": "*"})
    base = f"/calling/callConnections/{call['call_connection_id']}/participants"
    _, added = await post(bench, base + ":add", {"participantToAdd": GUEST})
    body = {"invitationId": added["invitationId"]}
    repeated = new_id()

    answers = [
        await post(bench, base + ":cancelAddParticipant", body, **repeated)
        for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert (await effects(bench, call)).count("cancelAddParticipant") == 1


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 502, 503, 504])
async def test_any_status_can_be_asked_for(bench: Bench, status: int) -> None:
    call = await connected(bench)
    await bench.post(
        "/emulator/faults/rest", operation="startMediaStreaming", status=status, times=2
    )

    answers = [
        await asked(bench, call, "startMediaStreaming", **new_id()) for _ in range(3)
    ]

    assert [each[0] for each in answers] == [status, status, 202]
    assert answers[0][1]["error"]["code"] == "Injected"
    report = await bench.report(call)
    counts = {str(status): 2, "202": 1}
    assert report["requests"]["startMediaStreaming"] == counts
    assert (await effects(bench, call)) == ["answer", "startMediaStreaming"]


async def test_a_fault_can_be_of_one_call(bench: Bench) -> None:
    meant, other = await connected(bench), await connected(bench)
    for name in (meant["call_connection_id"], meant["from"]):
        await bench.post("/emulator/faults/rest", operation="*", status=503, call=name)
        assert (await asked(bench, other, "hold"))[0] == 200
        assert (await asked(bench, meant, "hold"))[0] == 503
        assert (await asked(bench, meant, "hold"))[0] == 200


async def test_a_fault_can_be_of_a_call_that_is_placed(bench: Bench) -> None:
    await bench.post(
        "/emulator/faults/rest", operation="create", status=503, call=GUEST["rawId"]
    )
    bodies = [
        {"targets": [target], "callbackUri": bench.app.url + "/callbacks"}
        for target in (AGENT, GUEST, GUEST)
    ]

    answers = [await post(bench, "/calling/callConnections", each) for each in bodies]

    assert [status for status, _ in answers] == [201, 503, 201]


async def test_a_plan_can_bring_faults_in_words(bench: Bench) -> None:
    words = "hold:503:2, hold:429/7, unhold:lost_request"
    call = await connected(bench, faults={"rest": words})

    statuses = [(await asked(bench, call, "hold"))[0] for _ in range(4)]

    assert statuses == [503, 503, 429, 200]
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await asked(bench, call, "unhold")
    assert (await asked(bench, call, "unhold"))[0] == 200


async def test_every_call_can_have_faults_by_a_setting(make_bench: MakeBench) -> None:
    bench = await make_bench(faults="rest=hold:503; answer=failed")
    call = await bench.ring()

    await bench.answer(call)

    await bench.app.callback("AnswerFailed")
    other = await connected(bench, faults={"answer": "connected"})
    assert (await asked(bench, other, "hold"))[0] == 503


async def test_a_lost_request_has_no_effect(bench: Bench) -> None:
    call = await connected(bench)
    await bench.post("/emulator/faults/rest", operation="*", lost="request")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    with pytest.raises(ServiceRequestError):
        await connection.start_media_streaming()

    assert await effects(bench, call) == ["answer"]
    report = await bench.report(call)
    assert report["requests"]["startMediaStreaming"] == {"request lost": 1}
    await connection.start_media_streaming()
    await bench.app.callback("MediaStreamingStarted")


async def test_a_lost_answer_comes_after_the_effect(bench: Bench) -> None:
    call = await bench.ring()
    await bench.post("/emulator/faults/rest", operation="answer", lost="answer")
    body = {
        "incomingCallContext": call["incoming_call_context"],
        "callbackUri": bench.app.url + "/callbacks",
    }
    repeated = new_id()
    path = "/calling/callConnections:answer"

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post(bench, path, body, **repeated)
    await bench.app.callback("CallConnected")
    status, answer = await post(bench, path, body, **repeated)

    # What was remembered: the call was connecting then.
    assert (status, answer["callConnectionState"]) == (200, "connecting")
    assert answer["callConnectionId"] == call["call_connection_id"]
    assert await effects(bench, call) == ["answer"]
    report = await bench.report(call)
    assert report["requests"]["answer"] == {"answer lost": 1, "200": 1}


async def test_an_answer_can_be_slow_after_its_effect(bench: Bench) -> None:
    call = await connected(bench)
    before = (await bench.get("/emulator/health"))["seconds"]
    await bench.post("/emulator/faults/rest", operation="hold", delay=4)

    status, _ = await asked(bench, call, "hold")

    after = (await bench.get("/emulator/health"))["seconds"]
    assert status == 200
    assert after - before >= 4
    [_, held] = (await bench.report(call))["effects"]
    assert held["at"] < after - 3


async def test_too_many_requests_are_limited(make_bench: MakeBench) -> None:
    # A second of this clock lasts longer than the test.
    bench = await make_bench(rate_limit=3, speed=0.01)
    connection = bench.client.get_call_connection("nobody")

    statuses = []
    for _ in range(5):
        with pytest.raises(HttpResponseError) as refused:
            await connection.get_call_properties()
        statuses.append(refused.value.status_code)

    assert statuses == [404, 404, 404, 429, 429]
    response: Any = refused.value.response
    assert 1 <= int(response.headers["Retry-After"]) <= 100
    health = await bench.get("/emulator/health")
    assert health["requests"] == {"get": {"404": 3, "429": 2}}
    assert health["busiest_second"] == 3


async def test_the_limit_lets_more_in_when_time_has_passed(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(rate_limit=1, speed=1000)
    call = await bench.ring()
    await bench.answer(call)
    start = (await bench.get("/emulator/health"))["seconds"]
    while (await bench.get("/emulator/health"))["seconds"] < start + 1:
        pass

    connection = bench.client.get_call_connection(call["call_connection_id"])
    await connection.get_call_properties()

    assert (await bench.get("/emulator/health"))["busiest_second"] == 1


@pytest.mark.parametrize(
    ("when", "status", "took_effect"), [("before", 404, False), ("after", 202, True)]
)
async def test_a_call_can_end_while_it_is_told_something(
    bench: Bench, when: str, status: int, took_effect: bool
) -> None:
    faults = {"ends_during": f"startMediaStreaming:{when}"}
    call = await connected(bench, faults=faults)

    answered, _ = await asked(bench, call, "startMediaStreaming")
    report = await bench.finished(call)

    assert answered == status
    assert report["ending"] == "caller_hung_up"
    assert ("startMediaStreaming" in await effects(bench, call)) is took_effect
    assert report["media"]["state"] == "inactive"


async def test_answering_a_caller_who_has_just_hung_up_is_refused(bench: Bench) -> None:
    call = await bench.ring(faults={"ends_during": "answer:before"})

    with pytest.raises(HttpResponseError) as refused:
        await bench.answer(call)

    assert refused.value.status_code == 409
    assert (await bench.report(call))["state"] == "missed"


async def test_call_connected_can_come_before_the_answer(bench: Bench) -> None:
    call = await bench.ring(options={"answer_response": "after_connected"})

    await bench.answer(call, start=False)

    assert "CallConnected" in bench.app.kinds()


@pytest.mark.parametrize(
    "plan",
    [
        {"options": {"callbacks_lost": "CallConnected"}},
        {"faults": {"answer": "failed"}},
    ],
    ids=["lost", "failed"],
)
async def test_the_answer_comes_when_call_connected_never_will(
    bench: Bench, plan: Any
) -> None:
    plan.setdefault("options", {})["answer_response"] = "after_connected"
    call = await bench.ring(**plan)

    answered = await bench.answer(call, start=False)

    assert answered.call_connection_id == call["call_connection_id"]
    assert "CallConnected" not in bench.app.kinds()


def test_words_say_what_goes_wrong() -> None:
    faults = parse_rest_faults("*:429/2:3, get:delay=1.5,answer:lost_answer:2")

    limited, slow, lost = faults
    assert (limited.operation, limited.status) == ("*", 429)
    assert (limited.retry_after, limited.times) == (2, 3)
    assert (slow.delay, slow.times) == (1.5, 1)
    assert (lost.lost, lost.times) == ("answer", 2)


@pytest.mark.parametrize(
    "words", ["get", "get:", "dance:503", "get:200", "get:lost_all", "get:503:x", ":1"]
)
async def test_words_that_say_nothing_are_refused(bench: Bench, words: str) -> None:
    url = bench.emulator.url + "/emulator/calls"
    async with bench.session.post(url, json={"faults": {"rest": words}}) as refused:
        assert refused.status == 400
        assert "rest: " in (await refused.json())["error"]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"status": 503}, "operation: is needed"),
    ({"operation": "dance", "status": 503}, "there is no operation dance"),
    ({"operation": "get"}, "a status, lost or delay is needed"),
    ({"operation": "get", "status": 200}, "from 400 to 599"),
    ({"operation": "get", "status": True}, "status: must be int"),
    ({"operation": "get", "lost": "all"}, "lost: must be one of request, answer"),
    ({"operation": "get", "status": 503, "often": 2}, "not understood: often"),
]


@pytest.mark.parametrize(("body", "words"), MISTAKES)
async def test_says_what_of_a_fault_it_does_not_understand(
    bench: Bench, body: Any, words: str
) -> None:
    url = bench.emulator.url + "/emulator/faults/rest"
    async with bench.session.post(url, json=body) as refused:
        assert refused.status == 400
        assert words in (await refused.json())["error"]


def test_every_operation_has_a_name_of_its_own() -> None:
    assert len(set(OPERATIONS)) == len(OPERATIONS)
    assert set(IN_A_CALL) < set(OPERATIONS)
