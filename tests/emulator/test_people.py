"""Operations on those who take part, through Microsoft's SDK."""

from typing import Any

import pytest
from azure.communication.callautomation import (
    CommunicationUserIdentifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
)
from azure.core.exceptions import HttpResponseError

from tests.emulator.conftest import Bench

CALLER = "4:+12065550101"
AGENT = "8:acs:r_agent"
GUEST = CommunicationUserIdentifier("8:acs:r_guest")
PHONE = PhoneNumberIdentifier("+12065550102")
OURS = PhoneNumberIdentifier("+18005550199")


async def connected(bench: Bench, **plan: Any) -> tuple[Any, Any]:
    """Ring and answer; return the call and the SDK's connection to it."""
    call = await bench.ring(**{"from": CALLER, "participants": [CALLER, AGENT], **plan})
    await bench.answer(call)
    await bench.app.callback("ParticipantsUpdated")
    return call, bench.client.get_call_connection(call["call_connection_id"])


async def updated(bench: Bench, count: int) -> list[dict[str, Any]]:
    """Return the participants of the ParticipantsUpdated that comes so manieth."""
    data = await bench.app.callback("ParticipantsUpdated", count)
    assert data["sequenceNumber"] == count
    listed: list[dict[str, Any]] = data["participants"]
    return listed


async def test_adds_somebody_who_answers(bench: Bench) -> None:
    call, connection = await connected(bench)

    added = await connection.add_participant(
        PHONE, source_caller_id_number=OURS, operation_context="add"
    )

    assert added.invitation_id
    assert added.operation_context == "add"
    assert added.participant.identifier.raw_id == "4:+12065550102"
    succeeded = await bench.app.callback("AddParticipantSucceeded")
    assert succeeded["operationContext"] == "add"
    assert succeeded["participant"]["phoneNumber"]["value"] == "+12065550102"
    listed = await updated(bench, 2)
    assert [each["identifier"]["rawId"] for each in listed] == [
        CALLER,
        AGENT,
        "4:+12065550102",
    ]
    assert (await bench.report(call))["roster"][-1] == "4:+12065550102"


async def test_adding_somebody_who_does_not_answer_fails(bench: Bench) -> None:
    call, connection = await connected(bench, faults={"unanswered": GUEST.raw_id})

    await connection.add_participant(
        GUEST, invitation_timeout=2, operation_context="add"
    )

    failed = await bench.app.callback("AddParticipantFailed")
    assert failed["operationContext"] == "add"
    assert failed["participant"]["rawId"] == GUEST.raw_id
    assert failed["resultInformation"]["code"] == 487
    assert (await bench.report(call))["roster"] == [CALLER, AGENT]


async def test_an_invitation_can_be_taken_back_once(bench: Bench) -> None:
    faults = {"unanswered": "*"}
    call, connection = await connected(bench, faults=faults)
    added = await connection.add_participant(GUEST, invitation_timeout=180)

    taken = await connection.cancel_add_participant_operation(
        added.invitation_id, operation_context="back"
    )

    assert taken.invitation_id == added.invitation_id
    succeeded = await bench.app.callback("CancelAddParticipantSucceeded")
    assert succeeded["invitationId"] == added.invitation_id
    assert succeeded["operationContext"] == "back"
    await connection.cancel_add_participant_operation(added.invitation_id)
    await bench.app.callback("CancelAddParticipantFailed")
    report = await bench.report(call)
    assert [each["operation"] for each in report["effects"]].count(
        "cancelAddParticipant"
    ) == 1
    assert report["requests"]["cancelAddParticipant"] == {"202": 2}


async def test_removes_somebody_who_is_there(bench: Bench) -> None:
    call, connection = await connected(bench)

    removed = await connection.remove_participant(
        CommunicationUserIdentifier(AGENT), operation_context="out"
    )

    assert removed.operation_context == "out"
    succeeded = await bench.app.callback("RemoveParticipantSucceeded")
    assert succeeded["participant"]["rawId"] == AGENT
    assert [each["identifier"]["rawId"] for each in await updated(bench, 2)] == [CALLER]
    assert (await bench.report(call))["roster"] == [CALLER]

    await connection.remove_participant(GUEST)
    failed = await bench.app.callback("RemoveParticipantFailed")
    assert failed["resultInformation"]["code"] == 404


async def test_mutes_a_participant_who_is_then_silent(bench: Bench) -> None:
    call, connection = await connected(bench)
    agent = CommunicationUserIdentifier(AGENT)

    muted = await connection.mute_participant(agent, operation_context="quiet")

    assert muted.operation_context == "quiet"
    assert [each["isMuted"] for each in await updated(bench, 2)] == [False, True]
    assert (await connection.get_participant(agent)).is_muted
    listed = [each async for each in connection.list_participants()]
    assert [each.is_muted for each in listed] == [False, True]
    assert (await bench.report(call))["muted"] == [AGENT]
    [socket] = bench.app.sockets
    seen = len(socket.audio)
    await bench.app.until(lambda: len(socket.audio) > seen + 400)
    late = socket.audio[seen + 20 :]
    assert all(each["silent"] for each in late if each["participantRawID"] == AGENT)
    assert not all(each["silent"] for each in late)


async def test_holds_a_participant_and_takes_them_back(bench: Bench) -> None:
    call, connection = await connected(bench)
    caller = PhoneNumberIdentifier("+12065550101")

    await connection.hold(caller, operation_context="wait")

    assert [each["isOnHold"] for each in await updated(bench, 2)] == [True, False]
    assert (await connection.get_participant(caller)).is_on_hold
    assert (await bench.report(call))["on_hold"] == [CALLER]

    await connection.unhold(caller)

    assert [each["isOnHold"] for each in await updated(bench, 3)] == [False, False]
    assert (await bench.report(call))["on_hold"] == []


async def test_nobody_is_muted_or_held_who_is_not_there(bench: Bench) -> None:
    call, connection = await connected(bench)

    for refused in (connection.mute_participant, connection.hold, connection.unhold):
        with pytest.raises(HttpResponseError, match="not in the call") as error:
            await refused(GUEST)
        assert error.value.status_code == 400

    effects = (await bench.report(call))["effects"]
    assert [each["operation"] for each in effects] == ["answer"]


async def test_a_phone_number_is_called_from_one(bench: Bench) -> None:
    _, connection = await connected(bench)

    for refused in (
        connection.add_participant,
        connection.transfer_call_to_participant,
    ):
        with pytest.raises(HttpResponseError, match="sourceCallerIdNumber") as error:
            await refused(PHONE)
        assert error.value.status_code == 400


async def test_transfers_the_call_and_is_out_of_it(bench: Bench) -> None:
    call, connection = await connected(bench)
    teams = MicrosoftTeamsUserIdentifier("0e5e5b6a-0000-4000-8000-00000000d00d")

    result = await connection.transfer_call_to_participant(
        teams,
        operation_context="over",
        transferee=PhoneNumberIdentifier("+12065550101"),
    )
    report = await bench.finished(call)

    assert result.operation_context == "over"
    accepted = await bench.app.callback("CallTransferAccepted")
    assert accepted["operationContext"] == "over"
    assert accepted["transferTarget"]["rawId"] == teams.raw_id
    assert accepted["transferee"]["rawId"] == CALLER
    assert bench.app.kinds()[-1] == "CallDisconnected"
    assert (report["ending"], report["left"]) == ("transferred", True)


async def test_a_transfer_that_nobody_answers_fails(bench: Bench) -> None:
    plan: dict[str, Any] = {
        "faults": {"unanswered": "*"},
        "options": {"ring_seconds": 1},
    }
    call, connection = await connected(bench, **plan)

    await connection.transfer_call_to_participant(GUEST, operation_context="over")

    failed = await bench.app.callback("CallTransferFailed")
    assert failed["operationContext"] == "over"
    assert (await bench.report(call))["state"] == "connected"


@pytest.mark.parametrize(
    ("for_everyone", "ending", "left"),
    [(False, "left", True), (True, "terminated", False)],
)
async def test_leaving_is_not_ending(
    bench: Bench, for_everyone: bool, ending: str, left: bool
) -> None:
    call, connection = await connected(bench)

    await connection.hang_up(is_for_everyone=for_everyone)
    report = await bench.finished(call)

    assert (report["ending"], report["left"]) == (ending, left)
    # Whoever left can come back; what has ended is over.
    again = bench.client.connect_call(
        bench.app.url + "/callbacks", server_call_id=call["server_call_id"]
    )
    if left:
        assert (await again).server_call_id == call["server_call_id"]
    else:
        with pytest.raises(HttpResponseError) as gone:
            await again
        assert gone.value.status_code == 404


async def test_ending_for_everyone_ends_every_leg(bench: Bench) -> None:
    call, connection = await connected(bench)
    await bench.client.connect_call(
        bench.app.url + "/callbacks", server_call_id=call["server_call_id"]
    )
    await bench.app.callback("CallConnected", 2)

    await connection.hang_up(is_for_everyone=True)

    await bench.app.callback("CallDisconnected", 2)
    listed = (await bench.get("/emulator/calls"))["calls"]
    assert [each["ending"] for each in listed] == ["terminated", "terminated"]
