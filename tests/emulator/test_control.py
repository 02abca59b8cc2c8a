"""The control API: what it refuses, and what it says instead."""

from typing import Any

import pytest
from azure.communication.callautomation import CommunicationUserIdentifier

from tests.emulator.conftest import Bench


async def refusal(bench: Bench, path: str, body: Any) -> tuple[int, str]:
    url = bench.emulator.url + path
    async with bench.session.post(url, json=body) as response:
        return response.status, (await response.json())["error"]


MISTAKES = [
    ({"frm": "4:+1"}, "not understood: frm"),
    ({"from": 7}, "from: must be text"),
    ({"duration": -1}, "duration: must be a number of seconds"),
    ({"duration": True}, "duration: must be a number of seconds"),
    ({"participants": []}, "participants: must be a list of raw ids"),
    ({"participants": ["a", "a"]}, "participants: each raw id may be there once"),
    ({"script": {"ofset": 1}}, "script: not understood: ofset"),
    ({"script": {"party": "a"}}, "script.party: must be the number of a party"),
    ({"options": {"on_stop": "explode"}}, "on_stop: 'explode' is none of"),
    ({"options": {"nothing": 1}}, "nothing: there is no such option"),
    ({"options": []}, "options: must be an object"),
    ({"faults": {"gap": -5}}, "gap: must not be negative"),
    ({"faults": {"token": "old"}}, "token: 'old' is none of"),
    ({"actions": {}}, "actions: must be a list"),
    ({"actions": [{"do": []}]}, "do: must be one of"),
    ({"actions": [{"at": 1, "do": "dance"}]}, "do: must be one of"),
    ({"actions": [{"at": 1, "do": "redial", "delay": "x"}]}, "delay: must be"),
    ({"actions": [{"do": "dtmf", "tones": "1x"}]}, "tones: only 0-9"),
    ([], "the body is not a JSON object"),
]


@pytest.mark.parametrize(("body", "words"), MISTAKES)
async def test_says_what_it_does_not_understand(
    bench: Bench, body: Any, words: str
) -> None:
    status, error = await refusal(bench, "/emulator/calls", body)

    assert status == 400
    assert words in error
    assert (await bench.get("/emulator/calls"))["calls"] == []


async def test_says_what_cannot_happen_now(bench: Bench) -> None:
    call = await bench.ring()
    path = f"/emulator/calls/{call['id']}"
    assert await refusal(bench, path + "/redial", {}) == (
        409,
        "the call was not answered",
    )

    await bench.answer(call, start=False)
    await bench.app.callback("CallConnected")
    assert await refusal(bench, path + "/redial", {}) == (409, "no socket is open")
    assert (await refusal(bench, path + "/dtmf", {"tones": "1"}))[0] == 409
    assert (await refusal(bench, path + "/join", {"participant": "8:who"}))[0] == 409


async def test_does_not_know_calls_that_are_not_there(bench: Bench) -> None:
    async with bench.session.get(bench.emulator.url + "/emulator/calls/x") as response:
        assert response.status == 404


async def test_finds_a_call_by_either_name(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call, start=False)

    found = await bench.get(f"/emulator/calls/{call['call_connection_id']}")

    assert found["id"] == call["id"]


async def test_hanging_up_a_ringing_call_misses_it(bench: Bench) -> None:
    call = await bench.ring()

    report = await bench.post(f"/emulator/calls/{call['id']}/hangup")

    assert (report["state"], report["finished"]) == ("missed", True)


async def test_plans_how_placed_calls_go(bench: Bench) -> None:
    url = bench.emulator.url + "/emulator/outgoing"
    plan = {"duration": 10, "options": {"timestamp_digits": 0}}
    async with bench.session.put(url, json=plan) as response:
        assert response.status == 200

    created = await bench.client.create_call(
        CommunicationUserIdentifier("8:acs:r_callee"),
        bench.app.url + "/callbacks",
        media_streaming=bench.media(),
    )
    name = created.call_connection_id
    report = await bench.finished({"call_connection_id": name, "id": name})

    assert report["to"] == "8:acs:r_callee"
    assert report["roster"] == ["8:acs:r_callee"]
    assert "." not in bench.app.sockets[0].audio[0]["timestamp"]


async def test_a_placed_call_can_fail(bench: Bench) -> None:
    url = bench.emulator.url + "/emulator/outgoing"
    async with bench.session.put(url, json={"faults": {"answer": "failed"}}) as reply:
        assert reply.status == 200

    await bench.client.create_call(
        CommunicationUserIdentifier("8:acs:r_callee"), bench.app.url + "/callbacks"
    )

    failed = await bench.app.callback("CreateCallFailed")
    assert failed["resultInformation"]["code"] == 500
    [call] = (await bench.get("/emulator/calls"))["calls"]
    assert call["state"] == "failed"


async def test_reports_its_health(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    await bench.app.callback("MediaStreamingStarted")

    health = await bench.get("/emulator/health")

    assert health["ok"] is True
    assert (health["calls"], health["streaming"], health["lint"]) == (1, 1, 0)
    assert health["event_grid"] == "off"


async def test_refuses_a_rest_fault_it_does_not_understand(bench: Bench) -> None:
    path = "/emulator/faults/rest"
    assert (await refusal(bench, path, {"operation": "get"}))[0] == 400
    wrong = {"operation": "get", "status": "500"}
    assert (await refusal(bench, path, wrong))[0] == 400
