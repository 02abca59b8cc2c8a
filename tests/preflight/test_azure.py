"""Does ACS know us? Asked of the real emulator, and of who is not ACS."""

import pytest
from pytest_django import Settings

from calls.models.profiles import TranscriptionStart
from calls.preflight import Status, azure
from demo.ports import free_port
from tests.control.bench import Bench
from tests.factories import ProfileFactory
from tests.preflight.strangers import answering


@pytest.mark.usefixtures("bench")
def test_a_key_that_acs_accepts_is_green() -> None:
    assert azure.check_credentials().status == Status.GREEN


@pytest.mark.usefixtures("bench")
def test_a_key_that_acs_does_not_accept_is_red(settings: Settings) -> None:
    settings.ACS_ACCESS_KEY = "d3Jvbmc="

    found = azure.check_credentials()

    assert found.status == Status.RED
    assert found.sentence == "ACS does not accept the access key (401)."


def test_an_acs_that_is_busy_gives_no_judgement(bench: Bench) -> None:
    bench.fail_rest("get", 503)

    assert azure.check_credentials().status == Status.UNKNOWN
    assert azure.check_credentials().status == Status.GREEN


@pytest.mark.parametrize("status", [200, 404])
def test_who_answers_and_is_not_acs_is_red(settings: Settings, status: int) -> None:
    with answering(status) as url:
        settings.ACS_ENDPOINT = url

        assert azure.check_credentials().status == Status.RED


def test_nobody_there_is_red(settings: Settings) -> None:
    settings.ACS_ENDPOINT = f"http://127.0.0.1:{free_port()}"

    found = azure.check_credentials()

    assert found.status == Status.RED
    assert found.sentence == "ACS cannot be reached: Connection refused."


def test_without_a_resource_nothing_is_asked(settings: Settings) -> None:
    settings.ACS_ACCESS_KEY = ""

    assert azure.check_credentials().status == Status.RED


@pytest.mark.usefixtures("bench")
def test_a_clock_in_step_is_green(settings: Settings) -> None:
    settings.PUBLIC_URL = ""

    found = azure.check_clock()

    assert found.status == Status.GREEN
    assert found.sentence.startswith("The clock is in step")


@pytest.mark.parametrize(
    ("ahead", "status", "told"),
    [
        (120, Status.RED, "behind that of ACS: signed requests are refused."),
        (-120, Status.RED, "ahead of that of ACS: signed requests are refused."),
        (20, Status.WARNING, "behind that of ACS."),
        (3, Status.GREEN, "behind that of ACS: close enough."),
    ],
)
def test_a_clock_that_is_off_is_told_with_its_side(
    settings: Settings, ahead: float, status: Status, told: str
) -> None:
    settings.PUBLIC_URL = ""
    with answering(401, ahead=ahead) as url:
        settings.ACS_ENDPOINT = url
        found = azure.check_clock()

    assert found.status == status
    assert told in found.sentence


def test_the_clock_before_our_public_url_counts_too(
    bench: Bench, settings: Settings
) -> None:
    with answering(200, ahead=-90) as url:
        settings.PUBLIC_URL = url
        found = azure.check_clock()

    assert bench.url == settings.ACS_ENDPOINT
    assert found.status == Status.RED
    assert "ahead of that of the public URL" in found.sentence


def test_an_acs_that_does_not_say_its_time_leaves_it_unknown(
    settings: Settings,
) -> None:
    settings.PUBLIC_URL = ""
    with answering(200, dated=False) as url:
        settings.ACS_ENDPOINT = url
        assert azure.check_clock().status == Status.UNKNOWN

    settings.ACS_ENDPOINT = f"http://127.0.0.1:{free_port()}"
    assert "cannot be asked" in azure.check_clock().sentence


@pytest.mark.usefixtures("bench")
def test_keys_that_can_be_fetched_are_green() -> None:
    found = azure.check_tokens()

    assert found.status == Status.GREEN
    assert found.sentence.startswith("1 key signs ACS's tokens")


def test_keys_that_cannot_be_fetched_are_red(settings: Settings) -> None:
    with answering(200) as url:
        settings.ACS_OPENID_URL = url
        found = azure.check_tokens()

    assert found.status == Status.RED
    assert found.sentence.endswith("cannot be fetched: the document is not JSON.")


def test_keys_without_a_resource_id_are_of_no_use(settings: Settings) -> None:
    settings.ACS_RESOURCE_ID = ""

    assert azure.check_tokens().status == Status.RED


def test_where_no_token_is_asked_for_no_key_is_needed(settings: Settings) -> None:
    settings.MEDIA_AUTH = settings.CALLBACK_AUTH = "off"

    assert azure.check_tokens().status == Status.UNKNOWN


@pytest.mark.django_db
def test_transcription_is_told_of_who_wants_it_and_what_does_it(
    settings: Settings,
) -> None:
    settings.COGNITIVE_ENDPOINT = ""
    assert azure.check_transcription().status == Status.GREEN

    ProfileFactory.create(name="Desk", transcription=TranscriptionStart.ON_DEMAND)
    found = azure.check_transcription()
    assert found.status == Status.WARNING
    assert "Calls answered with “Desk” have no transcript." in found.sentence

    settings.COGNITIVE_ENDPOINT = "https://name.cognitiveservices.azure.com/"
    found = azure.check_transcription()
    assert found.status == Status.GREEN
    assert "“Desk”" in found.sentence

    settings.COGNITIVE_ENDPOINT = "http://localhost"
    assert azure.check_transcription().status == Status.RED
