"""Scheme, host and certificate of the URLs under which ACS is to reach us."""

from pathlib import Path

import pytest
from pytest_django import Settings

from calls.preflight import Outcome, Status, media, webhooks
from demo.ports import free_port
from tests.preflight.conftest import Issue
from tests.preflight.strangers import answering
from tests.preflight.tls import Authority, proxy, self_signed


@pytest.mark.usefixtures("real_acs")
@pytest.mark.parametrize(
    ("url", "status", "sentence"),
    [
        ("wss://media.example.com", Status.GREEN, "media.example.com is encrypted."),
        ("ws://media.example.com", Status.RED, "media.example.com is not encrypted."),
        ("ws://127.0.0.1:8001", Status.RED, "ws://127.0.0.1:8001 is not encrypted."),
        ("https://media.example.com", Status.RED, "is no wss:// URL of a host."),
        ("wss://[", Status.RED, "is no wss:// URL of a host."),
        ("", Status.RED, "ACSSTREAM_MEDIA_URL is not set."),
    ],
)
def test_acs_wants_media_encrypted(
    settings: Settings, url: str, status: Status, sentence: str
) -> None:
    settings.MEDIA_URL_BASE = url

    found = media.check_url()

    assert found.status == status
    assert found.sentence.endswith(sentence)
    assert bool(found.advice) == (status == Status.RED)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://127.0.0.1:8000", Status.GREEN),
        ("http://console.example.com", Status.RED),
        ("https://console.example.com", Status.GREEN),
    ],
)
def test_plain_text_is_fine_for_an_emulator_near_by(
    settings: Settings, url: str, status: Status
) -> None:
    settings.PUBLIC_URL = url

    found = webhooks.check_url()

    assert found.status == status
    if url.startswith("http://127"):
        assert "fine for the emulator; ACS needs a public https://" in found.sentence


def test_no_password_of_a_url_is_told(settings: Settings) -> None:
    settings.MEDIA_URL_BASE = "wss://user:hunter2@media.example.com/path"

    assert "hunter2" not in media.check_url().sentence


@pytest.mark.usefixtures("real_acs")
def test_a_private_address_cannot_be_reached_by_acs(settings: Settings) -> None:
    settings.MEDIA_URL_BASE = "wss://localhost"

    found = media.check_host()

    assert found.status == Status.RED
    assert "127.0.0.1" in found.sentence
    assert "8581" in found.sentence


@pytest.mark.usefixtures("real_acs")
def test_a_public_address_is_green(settings: Settings) -> None:
    settings.MEDIA_URL_BASE = "wss://8.8.8.8"

    assert media.check_host() == Outcome(Status.GREEN, "8.8.8.8.")


def test_an_address_of_this_machine_is_fine_for_the_emulator(
    settings: Settings,
) -> None:
    settings.MEDIA_URL_BASE = "ws://127.0.0.1:8001"

    found = media.check_host()

    assert found.status == Status.GREEN
    assert found.sentence.startswith("127.0.0.1: fine for the emulator")


@pytest.mark.parametrize("host", ["nobody.invalid", f"{'x' * 64}.example.com"])
def test_a_host_that_does_not_resolve_is_red(settings: Settings, host: str) -> None:
    settings.MEDIA_URL_BASE = f"wss://{host}"

    found = media.check_host()

    assert found.status == Status.RED
    assert found.sentence.startswith(f"{host} does not resolve: ")


def certificate_at(settings: Settings, port: int, host: str = "localhost") -> Outcome:
    settings.MEDIA_URL_BASE = f"wss://{host}:{port}"
    return media.check_certificate()


def test_a_trusted_certificate_is_green_with_its_days(
    settings: Settings, issue: Issue
) -> None:
    with proxy(issue(days=90.5)) as port:
        found = certificate_at(settings, port)

    assert found == Outcome(
        Status.GREEN,
        "The certificate of localhost (by Authority of the tests) is trusted and good"
        " for 90 days.",
    )


@pytest.mark.parametrize(
    ("days", "told"), [(13.9, "expires in 13 days"), (1.5, "expires in 1 day,")]
)
def test_a_certificate_that_is_about_to_expire_is_red(
    settings: Settings, issue: Issue, days: float, told: str
) -> None:
    with proxy(issue(days=days)) as port:
        found = certificate_at(settings, port)

    assert found.status == Status.RED
    assert told in found.sentence
    assert "Renew" in found.advice


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"days": -1}, "has expired."),
        ({"since": 60}, "is not valid yet."),
        ({"host": "other.example.com"}, "is made for another name."),
    ],
)
def test_a_certificate_that_is_wrong_says_why(
    settings: Settings, issue: Issue, given: dict[str, object], told: str
) -> None:
    with proxy(issue(**given)) as port:
        found = certificate_at(settings, port)

    assert (found.status, found.sentence) == (
        Status.RED,
        f"The certificate of localhost {told}",
    )


def test_a_certificate_for_a_name_is_none_for_an_address(
    settings: Settings, issue: Issue
) -> None:
    with proxy(issue()) as port:
        found = certificate_at(settings, port, "127.0.0.1")

    assert found.sentence.endswith("is made for another address.")


@pytest.fixture
def strangers(tmp_path: Path, trusted: Authority) -> dict[str, Path]:
    """Certificates that nobody here vouches for."""
    root = Authority("Nobody's authority")
    between = Authority("Between", parent=trusted)
    chained = root.issue(tmp_path, "localhost")
    chained.write_bytes(chained.read_bytes() + root.pem())
    return {
        "itself": self_signed(tmp_path, "localhost"),
        "stranger": chained,
        "cut chain": between.issue(tmp_path, "localhost"),
    }


@pytest.mark.parametrize(
    ("kind", "told", "advice"),
    [
        ("itself", "is signed by itself.", "public authorities"),
        ("stranger", "authority that is not trusted here.", "public authorities"),
        ("cut chain", "cannot be traced to a trusted authority.", "full chain"),
    ],
)
def test_a_certificate_that_nobody_vouches_for_is_red(
    settings: Settings, strangers: dict[str, Path], kind: str, told: str, advice: str
) -> None:
    with proxy(strangers[kind]) as port:
        found = certificate_at(settings, port)

    assert found.status == Status.RED
    assert found.sentence.endswith(told)
    assert advice in found.advice


def test_a_server_without_tls_gives_no_certificate(settings: Settings) -> None:
    with answering(200) as url:
        found = certificate_at(settings, int(url.rpartition(":")[2]))

    assert found.status == Status.RED
    assert found.sentence.endswith("gives no certificate: it does not speak TLS.")


def test_a_port_where_nobody_listens_gives_no_certificate(settings: Settings) -> None:
    found = certificate_at(settings, free_port())

    assert found.status == Status.RED
    assert found.sentence.endswith("gives no certificate: Connection refused.")


def test_plain_text_has_no_certificate_to_look_at(settings: Settings) -> None:
    settings.MEDIA_URL_BASE = f"ws://127.0.0.1:{free_port()}"

    assert media.check_certificate().status == Status.UNKNOWN


def test_without_a_url_the_rest_is_unknown_and_advises_nothing(
    settings: Settings,
) -> None:
    settings.MEDIA_URL_BASE = settings.PUBLIC_URL = ""

    for check in (
        media.check_host,
        media.check_certificate,
        media.check_path,
        webhooks.check_host,
        webhooks.check_certificate,
        webhooks.check_path,
    ):
        found = check()
        assert (found.status, found.advice) == (Status.UNKNOWN, "")
