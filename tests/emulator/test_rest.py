"""The REST API as Microsoft's SDK and a forger see it."""

import hashlib
import json
import uuid
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from azure.communication.callautomation import (
    CallRejectReason,
    CommunicationUserIdentifier,
    FileSource,
    PhoneNumberIdentifier,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from emulator.auth import decode_key, signature
from emulator.identities import identifier, raw_id_of
from emulator.options import DEVELOPMENT_KEY
from tests.emulator.conftest import Bench, MakeBench


def signed(
    bench: Bench, method: str, path: str, body: bytes = b"", **changed: Any
) -> dict[str, str]:
    """Return headers signed by hand, so that single parts of them can be wrong."""
    host = bench.emulator.url.removeprefix("http://")
    date = format_datetime(changed.get("at", datetime.now(UTC)), usegmt=True)
    content = b64encode(hashlib.sha256(body).digest()).decode()
    text = f"{method}\n{path}\n{date};{changed.get('host', host)};{content}"
    key = decode_key(changed.get("key", DEVELOPMENT_KEY))
    headers = "x-ms-date;host;x-ms-content-sha256"
    given = f"SignedHeaders={headers}&Signature={signature(key, text)}"
    return {
        "x-ms-date": date,
        "x-ms-content-sha256": changed.get("content", content),
        "Authorization": f"HMAC-SHA256 {given}",
    }


async def request(
    bench: Bench, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, Any]:
    url = bench.emulator.url + path
    async with bench.session.request(
        method, url, data=body, headers=headers
    ) as response:
        return response.status, json.loads(await response.text() or "null")


async def post(bench: Bench, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Send a signed request with further headers."""
    path += "?api-version=2026-03-12"
    data = json.dumps(body).encode()
    given = signed(bench, "POST", path, data) | headers
    return await request(bench, "POST", path, given, data)


PATH = "/calling/callConnections/nobody?api-version=2026-03-12"


async def test_refuses_another_key(bench: Bench) -> None:
    credential = AzureKeyCredential(b64encode(b"another key").decode())
    async with CallAutomationClient(bench.emulator.url, credential) as client:
        with pytest.raises(ClientAuthenticationError) as refused:
            await client.get_call_connection("x").get_call_properties()

    assert refused.value.status_code == 401
    assert refused.value.error is not None
    assert refused.value.error.code == "Unauthorized"


async def test_accepts_a_signed_host_with_and_without_a_slash(bench: Bench) -> None:
    host = bench.emulator.url.removeprefix("http://")
    for signed_host in (host, host + "/"):
        headers = signed(bench, "GET", PATH, host=signed_host)
        status, body = await request(bench, "GET", PATH, headers)
        assert (status, body["error"]["message"]) == (404, "Call not found.")


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "elsewhere"},
        {"at": datetime.now(UTC) - timedelta(minutes=6)},
        {"at": datetime.now(UTC) + timedelta(hours=6)},
        {"content": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"},
    ],
    ids=["host", "too old", "too new", "content"],
)
async def test_refuses_what_was_not_signed(bench: Bench, changed: Any) -> None:
    status, body = await request(
        bench, "GET", PATH, signed(bench, "GET", PATH, **changed)
    )

    assert status == 401
    assert body["error"]["code"] == "Unauthorized"


async def test_refuses_a_signed_request_for_another_path(bench: Bench) -> None:
    headers = signed(bench, "GET", PATH)
    status, _ = await request(bench, "GET", PATH.replace("nobody", "me"), headers)
    assert status == 401

    assert (await request(bench, "GET", PATH, {}))[0] == 401


async def test_a_repeated_request_id_gets_the_first_result(bench: Bench) -> None:
    call = await bench.ring()
    path = "/calling/callConnections:answer?api-version=2026-03-12"
    body = json.dumps(
        {
            "incomingCallContext": call["incoming_call_context"],
            "callbackUri": bench.app.url + "/callbacks",
        }
    ).encode()
    repeated = {"Repeatability-Request-ID": str(uuid.uuid4())}

    answers = []
    for more in (repeated, repeated, {"Repeatability-Request-ID": str(uuid.uuid4())}):
        headers = signed(bench, "POST", path, body) | more
        answers.append(await request(bench, "POST", path, headers, body))

    first, second, third = answers
    assert first == second
    assert first[0] == 200
    assert third[0] == 409


async def test_retries_of_the_sdk_create_one_call(bench: Bench) -> None:
    await bench.post("/emulator/faults/rest", operation="create", status=503, times=2)
    credential = AzureKeyCredential(DEVELOPMENT_KEY)
    async with CallAutomationClient(
        bench.emulator.url, credential, retry_backoff_factor=0.01
    ) as client:
        created = await client.create_call(
            PhoneNumberIdentifier("+12065550142"),
            bench.app.url + "/callbacks",
            source_caller_id_number=PhoneNumberIdentifier("+12065550143"),
            media_streaming=bench.media(),
        )

    listed = (await bench.get("/emulator/calls"))["calls"]
    assert [each["call_connection_id"] for each in listed] == [
        created.call_connection_id
    ]
    assert listed[0]["direction"] == "outgoing"
    await bench.app.callback("MediaStreamingStarted")


async def test_an_injected_429_says_when_to_come_back(bench: Bench) -> None:
    await bench.post(
        "/emulator/faults/rest", operation="*", status=429, retry_after=7, times=1
    )
    connection = bench.client.get_call_connection("nobody")

    with pytest.raises(HttpResponseError) as refused:
        await connection.get_call_properties()
    assert refused.value.status_code == 429
    response: Any = refused.value.response
    assert response.headers["Retry-After"] == "7"
    with pytest.raises(ResourceNotFoundError):
        await connection.get_call_properties()


async def test_shows_the_call_and_its_participants(bench: Bench) -> None:
    raw_ids = ["4:+12065550111", "8:acs:resource_user", "8:orgid:teams-user"]
    call = await bench.ring(**{"from": raw_ids[0], "participants": raw_ids})
    await bench.answer(call)
    await bench.app.callback("MediaStreamingStarted")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    properties = await connection.get_call_properties()
    listed = [each async for each in connection.list_participants()]
    one = await connection.get_participant(PhoneNumberIdentifier("+12065550111"))

    assert properties.call_connection_state == "connected"
    assert properties.media_streaming_subscription is not None
    assert properties.media_streaming_subscription.state == "active"
    assert properties.correlation_id == call["correlation_id"]
    assert [each.identifier.raw_id for each in listed if each.identifier] == raw_ids
    assert one.identifier is not None
    assert one.identifier.raw_id == raw_ids[0]
    with pytest.raises(ResourceNotFoundError):
        await connection.get_participant(PhoneNumberIdentifier("+12065550112"))


async def test_rejects_and_redirects(bench: Bench) -> None:
    rejected, redirected = await bench.ring(), await bench.ring()

    await bench.client.reject_call(
        rejected["incoming_call_context"], call_reject_reason=CallRejectReason.BUSY
    )
    user = CommunicationUserIdentifier("8:acs:x_y")
    await bench.client.redirect_call(redirected["incoming_call_context"], user)

    assert (await bench.report(rejected))["state"] == "rejected"
    assert (await bench.report(redirected))["state"] == "redirected"
    with pytest.raises(ResourceExistsError):
        await bench.answer(rejected)


async def test_hangs_up_once(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    await bench.app.callback("MediaStreamingStarted")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    await connection.hang_up(is_for_everyone=False)
    await bench.finished(call)

    with pytest.raises(ResourceNotFoundError):
        await connection.hang_up(is_for_everyone=True)
    assert bench.app.kinds().count("CallDisconnected") == 1


async def test_connects_to_a_call_that_is_there(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    await bench.app.callback("CallConnected")

    joined = await bench.client.connect_call(
        bench.app.url + "/callbacks", server_call_id=call["server_call_id"]
    )

    assert joined.call_connection_id != call["call_connection_id"]
    await bench.app.callback("CallConnected", 2)


async def test_says_what_it_does_not_have(bench: Bench) -> None:
    call = await bench.ring()
    await bench.answer(call)
    await bench.app.callback("CallConnected")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    with pytest.raises(HttpResponseError) as refused:
        await connection.play_media(FileSource("https://example.com/x.wav"))

    assert refused.value.status_code == 501
    assert ":play" in str(refused.value)


async def test_refuses_media_options_the_service_does_not_take(bench: Bench) -> None:
    call = await bench.ring()
    media = bench.media()
    media.audio_format = "pcm44KStereo"

    with pytest.raises(HttpResponseError) as refused:
        await bench.client.answer_call(
            call["incoming_call_context"],
            bench.app.url + "/callbacks",
            media_streaming=media,
        )

    assert refused.value.status_code == 400
    assert "audioFormat" in str(refused.value)
    assert (await bench.report(call))["state"] == "ringing"


async def test_start_without_options_fails_in_a_callback(bench: Bench) -> None:
    call = await bench.ring()
    await bench.client.answer_call(
        call["incoming_call_context"], bench.app.url + "/callbacks"
    )
    await bench.app.callback("CallConnected")
    connection = bench.client.get_call_connection(call["call_connection_id"])

    await connection.start_media_streaming(operation_context="mine")

    failed = await bench.app.callback("MediaStreamingFailed")
    assert failed["operationContext"] == "mine"
    assert failed["resultInformation"]["subCode"] == 8522


async def test_a_call_that_nobody_answers_is_missed(make_bench: MakeBench) -> None:
    bench = await make_bench(ring_seconds=0.0)
    call = await bench.ring()

    while (report := await bench.report(call))["state"] == "ringing":
        pass

    assert report["state"] == "missed"
    with pytest.raises(ResourceExistsError):
        await bench.answer(call)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Authorization": "Bearer x"}, "is not an HMAC-SHA256 signature"),
        (
            {"Authorization": "HMAC-SHA256 SignedHeaders=host&Signature=x"},
            "SignedHeaders is not",
        ),
        ({"x-ms-date": "yesterday"}, "not an RFC 1123 date"),
    ],
)
async def test_says_what_is_wrong_with_a_signature(
    bench: Bench, headers: dict[str, str], words: str
) -> None:
    status, body = await request(
        bench, "GET", PATH, signed(bench, "GET", PATH) | headers
    )

    assert status == 401
    assert words in body["error"]["message"]


ANSWER: dict[str, Any] = {"incomingCallContext": "x", "callbackUri": "http://x/"}
MEDIA: dict[str, Any] = {
    "transportType": "websocket",
    "audioChannelType": "mixed",
    "transportUrl": "ws://x/",
}
BODIES: list[tuple[bytes, str]] = [
    (b"{", "The body is not JSON."),
    (b"[]", "The body is not a JSON object."),
    (b"{}", "The field incomingCallContext is required."),
    (json.dumps({"incomingCallContext": "x"}).encode(), "callbackUri is required"),
    (json.dumps(ANSWER | {"callbackUri": "ftp://x"}).encode(), "CallbackUri is inv"),
    (json.dumps(ANSWER).encode(), "The incomingCallContext is not valid."),
    (json.dumps(ANSWER | {"mediaStreamingOptions": 1}).encode(), "not an object"),
] + [
    (json.dumps(ANSWER | {"mediaStreamingOptions": MEDIA | {name: "x"}}).encode(), name)
    for name in MEDIA
]


@pytest.mark.parametrize(("body", "words"), BODIES, ids=range(len(BODIES)))
async def test_refuses_bodies_that_make_no_sense(
    bench: Bench, body: bytes, words: str
) -> None:
    path = "/calling/callConnections:answer?api-version=2026-03-12"
    headers = signed(bench, "POST", path, body)
    status, answer = await request(bench, "POST", path, headers, body)

    assert status == 400
    assert words in answer["error"]["message"]


async def test_orders_before_the_call_is_established_are_refused(
    make_bench: MakeBench,
) -> None:
    bench = await make_bench(connect_delay=3600)
    call = await bench.ring()
    await bench.answer(call)
    connection = bench.client.get_call_connection(call["call_connection_id"])

    with pytest.raises(HttpResponseError, match="not in the state Established"):
        await connection.start_media_streaming()

    await connection.hang_up(is_for_everyone=True)
    await bench.app.callback("CallDisconnected")
    assert bench.app.kinds() == ["CallDisconnected"]


def test_raw_ids_are_understood_in_every_form() -> None:
    for raw_id, kind in (
        ("4:+1206", "phoneNumber"),
        ("4:anonymous", "phoneNumber"),
        ("8:acs:a_b", "communicationUser"),
        ("8:orgid:c", "microsoftTeamsUser"),
        ("28:orgid:d", "unknown"),
    ):
        made = identifier(raw_id)
        assert (made["kind"], made["rawId"]) == (kind, raw_id)
        assert raw_id_of(made) == raw_id
    assert raw_id_of({"phoneNumber": {"value": "+1"}}) == "4:+1"
    assert raw_id_of({"communicationUser": {"id": "8:acs:x"}}) == "8:acs:x"
    assert raw_id_of({"kind": "unknown"}) is None
    assert raw_id_of("4:+1") is None
