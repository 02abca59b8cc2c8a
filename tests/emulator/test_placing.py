"""Calls that the app places, joins, rejects and sends elsewhere."""

from typing import Any

import pytest
from azure.communication.callautomation import (
    CallRejectReason,
    CommunicationUserIdentifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
)
from azure.core.exceptions import HttpResponseError

from tests.emulator.conftest import Bench, MakeBench

USER = CommunicationUserIdentifier("8:acs:r_callee")
TEAMS = MicrosoftTeamsUserIdentifier("0e5e5b6a-0000-4000-8000-00000000d00d")
PHONE = PhoneNumberIdentifier("+12065550142")
OURS = PhoneNumberIdentifier("+18005550199")


async def plan_outgoing(bench: Bench, **plan: Any) -> None:
    url = bench.emulator.url + "/emulator/outgoing"
    async with bench.session.put(url, json=plan) as response:
        assert response.status == 200


async def report_of(bench: Bench, created: Any) -> Any:
    return await bench.report({"id": created.call_connection_id})


@pytest.mark.parametrize("target", [USER, TEAMS, PHONE], ids=["user", "Teams", "phone"])
async def test_calls_everybody_there_is(bench: Bench, target: Any) -> None:
    created = await bench.client.create_call(
        target,
        bench.app.url + "/callbacks",
        source_caller_id_number=OURS if target is PHONE else None,
        operation_context="placed",
    )

    assert [each.raw_id for each in created.targets or ()] == [target.raw_id]
    assert created.answered_by is None
    if target is PHONE:
        assert created.source_caller_id_number == OURS
    connected = await bench.app.callback("CallConnected")
    assert connected["operationContext"] == "placed"
    updated = await bench.app.callback("ParticipantsUpdated")
    [listed] = updated["participants"]
    assert listed["identifier"]["rawId"] == target.raw_id


async def test_a_phone_number_is_called_from_one(bench: Bench) -> None:
    with pytest.raises(HttpResponseError, match="sourceCallerIdNumber") as refused:
        await bench.client.create_call(PHONE, bench.app.url + "/callbacks")

    assert refused.value.status_code == 400
    assert (await bench.get("/emulator/calls"))["calls"] == []


async def test_calls_several_of_whom_some_answer(bench: Bench) -> None:
    await plan_outgoing(bench, faults={"unanswered": TEAMS.raw_id})

    created = await bench.client.create_call(
        [USER, TEAMS, PHONE],
        bench.app.url + "/callbacks",
        source_caller_id_number=OURS,
        media_streaming=bench.media(),
    )

    await bench.app.callback("CallConnected")
    report = await report_of(bench, created)
    assert report["roster"] == [USER.raw_id, PHONE.raw_id]
    assert len(created.targets or ()) == 3


async def test_a_target_who_does_not_answer_fails_the_call(bench: Bench) -> None:
    await plan_outgoing(
        bench, faults={"unanswered": USER.raw_id}, options={"ring_seconds": 1}
    )

    created = await bench.client.create_call(
        USER, bench.app.url + "/callbacks", operation_context="placed"
    )

    failed = await bench.app.callback("CreateCallFailed")
    assert failed["operationContext"] == "placed"
    result = failed["resultInformation"]
    assert (result["code"], result["subCode"]) == (487, 10004)
    assert (await report_of(bench, created))["state"] == "failed"
    assert "CallConnected" not in bench.app.kinds()


async def test_joins_rooms_and_group_calls_there_are(make_bench: MakeBench) -> None:
    bench = await make_bench(rooms="room-1, 5bd93d4e-0000-4000-8000-000000000001")
    url = bench.app.url + "/callbacks"

    await bench.client.connect_call(url, room_id="room-1")
    await bench.client.connect_call(
        url, group_call_id="5bd93d4e-0000-4000-8000-000000000001"
    )
    await bench.app.callback("CallConnected", 2)

    await bench.client.connect_call(url, room_id="room-2", operation_context="lost")
    failed = await bench.app.callback("ConnectFailed")
    assert failed["operationContext"] == "lost"
    assert failed["resultInformation"]["code"] == 404


async def test_does_not_join_a_call_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(HttpResponseError, match="Call not found") as refused:
        await bench.client.connect_call(
            bench.app.url + "/callbacks", server_call_id="aHR0cHM6Ly94"
        )

    assert refused.value.status_code == 404


async def test_lists_what_was_rejected_and_redirected(bench: Bench) -> None:
    rejected, redirected = await bench.ring(), await bench.ring()
    context = rejected["incoming_call_context"]
    await bench.client.reject_call(context, call_reject_reason=CallRejectReason.BUSY)
    await bench.client.redirect_call(redirected["incoming_call_context"], TEAMS)
    # Accepted, and without effect: the call does not ring any more.
    await bench.client.reject_call(redirected["incoming_call_context"])

    listed = (await bench.get("/emulator/dismissed"))["calls"]

    assert [(each["id"], each["state"]) for each in listed] == [
        (rejected["id"], "rejected"),
        (redirected["id"], "redirected"),
    ]
    assert listed[0]["reason"] == "busy"
    assert listed[1]["target"] == TEAMS.raw_id
    report = await bench.report(redirected)
    assert [each["operation"] for each in report["effects"]] == ["redirect"]
    assert report["requests"] == {"redirect": {"204": 1}, "reject": {"204": 1}}
