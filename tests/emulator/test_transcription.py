"""Transcription orders, through Microsoft's SDK."""

from typing import Any

import pytest
from azure.communication.callautomation import (
    StreamingTransportType,
    TranscriptionOptions,
)

from tests.emulator.conftest import Bench
from tests.emulator.test_rest import post

COGNITIVE = "https://cognitive.example.com"


async def transcribed(
    bench: Bench, *, start: bool = False, cognitive: str | None = COGNITIVE, **plan: Any
) -> Any:
    """Ring and answer with transcription options; return call and connection."""
    call = await bench.ring(**plan)
    await bench.client.answer_call(
        call["incoming_call_context"],
        bench.app.url + "/callbacks",
        operation_context="answered",
        transcription=TranscriptionOptions(
            transport_url=bench.app.media_url,
            transport_type=StreamingTransportType.WEBSOCKET,
            locale="en-US",
            start_transcription=start,
        ),
        cognitive_services_endpoint=cognitive,
    )
    await bench.app.callback("CallConnected")
    return call, bench.client.get_call_connection(call["call_connection_id"])


async def test_starts_goes_on_in_another_language_and_stops(bench: Bench) -> None:
    call, connection = await transcribed(bench)
    assert (await bench.report(call))["transcription"]["state"] == "inactive"

    await connection.start_transcription(operation_context="start", locale="de-DE")
    started = await bench.app.callback("TranscriptionStarted")
    assert started["operationContext"] == "start"
    assert started["transcriptionUpdate"] == {
        "transcriptionStatus": "transcriptionStarted",
        "transcriptionStatusDetails": "subscriptionStarted",
    }
    subscription = (await connection.get_call_properties()).transcription_subscription
    assert (subscription.state, subscription.locale) == ("active", "de-DE")

    await connection.update_transcription(locale="fr-FR", operation_context="update")
    updated = await bench.app.callback("TranscriptionUpdated")
    assert updated["operationContext"] == "update"
    report = (await bench.report(call))["transcription"]
    assert (report["state"], report["locale"]) == ("active", "fr-FR")
    [socket] = bench.app.sockets
    told = socket.of_kind("TranscriptionMetadata")
    locales = [each["transcriptionMetadata"]["locale"] for each in told]
    assert locales == ["de-DE", "fr-FR"]

    await connection.stop_transcription(operation_context="stop")
    stopped = await bench.app.callback("TranscriptionStopped")
    assert stopped["operationContext"] == "stop"
    assert (await bench.report(call))["transcription"]["state"] == "inactive"


async def test_starts_with_the_call(bench: Bench) -> None:
    await transcribed(bench, start=True)

    started = await bench.app.callback("TranscriptionStarted")
    assert started["operationContext"] == "answered"


async def test_fails_if_it_was_not_set_up_with_the_call(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    await bench.app.callback("CallConnected")
    connection = bench.client.get_call_connection(call["call_connection_id"])
    assert (await connection.get_call_properties()).transcription_subscription is None

    await connection.start_transcription(operation_context="mine")

    failed = await bench.app.callback("TranscriptionFailed")
    assert failed["operationContext"] == "mine"
    result = failed["resultInformation"]
    assert (result["code"], result["subCode"]) == (405, 8522)
    details = failed["transcriptionUpdate"]["transcriptionStatusDetails"]
    assert details == "streamUrlMissing"


@pytest.mark.parametrize("start", [True, False])
async def test_fails_if_no_azure_ai_resource_was_named_with_the_call(
    bench: Bench, start: bool
) -> None:
    call, connection = await transcribed(bench, start=start, cognitive=None)
    if not start:
        await connection.start_transcription(operation_context="answered")

    failed = await bench.app.callback("TranscriptionFailed")
    assert failed["operationContext"] == "answered"
    result = failed["resultInformation"]
    assert (result["code"], result["subCode"]) == (405, 8522)
    assert "Cognitive Service Configuration" in result["message"]
    assert (await bench.report(call))["transcription"]["state"] == "inactive"


async def test_an_update_before_the_start_fails(bench: Bench) -> None:
    _, connection = await transcribed(bench)

    await connection.update_transcription(locale="fr-FR")

    failed = await bench.app.callback("TranscriptionFailed")
    assert failed["resultInformation"]["code"] == 400


async def test_a_start_can_fail(bench: Bench) -> None:
    _, connection = await transcribed(bench, faults={"transcription": "8581"})

    await connection.start_transcription()

    failed = await bench.app.callback("TranscriptionFailed")
    assert failed["resultInformation"]["subCode"] == 8581


async def test_a_start_can_be_accepted_and_never_happen(bench: Bench) -> None:
    call, connection = await transcribed(bench, faults={"transcription": "never"})

    await connection.start_transcription()

    report = await bench.report(call)
    assert report["requests"]["startTranscription"] == {"202": 1}
    assert [each["operation"] for each in report["effects"]] == ["answer"]
    await bench.post(f"/emulator/calls/{call['id']}/hangup")
    assert not [each for each in bench.app.kinds() if each.startswith("Transcription")]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("transcriptionOptions", []),
        ("transcriptionOptions", {}),
        ("transcriptionOptions", {"transportType": "websocket"}),
        ("callIntelligenceOptions", "x"),
        ("callIntelligenceOptions", {"cognitiveServicesEndpoint": "http://x.test"}),
    ],
)
async def test_options_are_checked(bench: Bench, name: str, options: Any) -> None:
    call = await bench.ring()
    body = {
        "incomingCallContext": call["incoming_call_context"],
        "callbackUri": bench.app.url + "/callbacks",
        name: options,
    }
    status, answer = await post(bench, "/calling/callConnections:answer", body)

    assert status == 400
    assert name in answer["error"]["message"]
