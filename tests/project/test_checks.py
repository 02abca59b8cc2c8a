"""System checks, by id: each fires for its fault and is quiet without it."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage
from pytest_django import Settings

from calls.checks import enforce
from calls.checks.places import check_storage


def ids(*, deploy: bool = False) -> set[str]:
    """Return our checks that fire, without their common prefix."""
    found = (
        str(message.id) for message in run_checks(include_deployment_checks=deploy)
    )
    return {name.removeprefix("acsstream.") for name in found if "acsstream." in name}


@pytest.fixture(autouse=True)
def _production(settings: Settings, tmp_path: Path) -> None:
    """Start from settings that nothing is wrong with."""
    settings.DEBUG = False
    settings.ACS_ENDPOINT = "https://contoso.communication.azure.com"
    settings.ACS_ACCESS_KEY = "a2V5"
    settings.ACS_RESOURCE_ID = "00000000-0000-4000-8000-000000000000"
    settings.PUBLIC_URL = "https://console.example.com"
    settings.MEDIA_URL_BASE = "wss://media.example.com"
    settings.ALLOWED_HOSTS = ["console.example.com"]
    settings.MEDIA_AUTH = settings.CALLBACK_AUTH = "required"
    settings.EVENTGRID_SECRET = "s3cr3t"
    settings.DATA_DIR = tmp_path
    settings.UNKNOWN_VARIABLES = {}
    settings.JOURNAL_DIR = tmp_path / "journals"
    settings.RECORDINGS_DIR = tmp_path / "recordings"


def test_every_id_is_in_the_guide() -> None:
    root = Path(__file__).resolve().parents[2]
    source = "".join(path.read_text() for path in (root / "calls/checks").glob("*.py"))
    guide = (root / "docs" / "deployment.md").read_text(encoding="utf-8")

    known = set(re.findall(r'id="acsstream\.([EW]\d{3})"', source))
    explained = re.findall(r"^\| `([EW]\d{3})` \|", guide, flags=re.MULTILINE)

    assert known
    assert sorted(known) == sorted(explained)


def test_finds_nothing_wrong_with_right_settings() -> None:
    assert ids(deploy=True) == set()


@pytest.mark.parametrize(
    "name", ["ACS_ENDPOINT", "ACS_ACCESS_KEY", "PUBLIC_URL", "MEDIA_URL_BASE"]
)
def test_w001_says_what_is_missing(settings: Settings, name: str) -> None:
    setattr(settings, name, "")

    assert ids() == {"W001"}


def test_w001_asks_for_the_resource_id_only_where_tokens_are_verified(
    settings: Settings,
) -> None:
    settings.ACS_RESOURCE_ID = ""
    assert ids() == {"W001"}

    settings.MEDIA_AUTH = settings.CALLBACK_AUTH = "off"
    assert ids() == set()


@pytest.mark.parametrize(
    "url",
    [
        "contoso.communication.azure.com",
        "http://contoso.communication.azure.com",
        "http://20.1.2.3",
        "https://",
        "https://contoso.communication.azure.com:port",
        "https://user@contoso.communication.azure.com",
        "https://contoso.communication.azure.com?api-version=1",
        "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5",
    ],
)
def test_e002_refuses_what_is_no_endpoint(settings: Settings, url: str) -> None:
    settings.ACS_ENDPOINT = url

    assert ids() == {"E002"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://emulator:8080"]
)
def test_e002_lets_an_emulator_nearby_do_without_tls(
    settings: Settings, url: str
) -> None:
    settings.ACS_ENDPOINT = url

    assert ids() == set()


@pytest.mark.parametrize("key", ["a2V", "not base64", "endpoint=…;accesskey=a2V5"])
def test_e003_refuses_what_is_no_key(settings: Settings, key: str) -> None:
    settings.ACS_ACCESS_KEY = key

    assert ids() == {"E003"}


@pytest.mark.parametrize(
    "guid", ["contoso", "{00000000-0000-4000-8000-000000000000}", "/subscriptions/1"]
)
def test_e004_refuses_what_is_no_guid(settings: Settings, guid: str) -> None:
    settings.ACS_RESOURCE_ID = guid

    assert ids() == {"E004"}


@pytest.mark.parametrize("url", ["http://console.example.com", "wss://example.com"])
def test_e005_refuses_webhooks_without_tls(settings: Settings, url: str) -> None:
    settings.PUBLIC_URL = url

    assert ids() == {"E005"}


@pytest.mark.parametrize("url", ["ws://media.example.com", "https://media.example.com"])
def test_e006_refuses_media_without_tls(settings: Settings, url: str) -> None:
    settings.MEDIA_URL_BASE = url

    assert ids() == {"E006"}


@pytest.mark.parametrize("name", ["JOURNAL_DIR", "RECORDINGS_DIR"])
def test_e007_finds_a_folder_that_cannot_be_written(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    setattr(settings, name, file / "below")

    assert ids() == {"E007"}


def test_e007_leaves_the_recordings_folder_alone_when_they_go_elsewhere(
    settings: Settings,
) -> None:
    settings.RECORDINGS_DIR = Path("/dev/null/recordings")
    settings.STORAGE_BACKEND = "calls.azure_blobs.AzureRecordings"

    assert ids() == set()


@pytest.mark.parametrize(
    "storage",
    [
        {"BACKEND": "storages.backends.azur.AzureStorage"},
        {
            "BACKEND": "storages.backends.azure_storage.AzureStorage",
            "OPTIONS": {"a": 1},
        },
        {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"folder": "/srv"},
        },
    ],
)
def test_e008_finds_a_storage_that_cannot_be_made(
    settings: Settings, storage: dict[str, object]
) -> None:
    settings.STORAGES = {**settings.STORAGES, "recordings": storage}

    assert ids() == {"E008"}


class LikeS3(FileSystemStorage):
    """A folder with the option that S3 and Google know, as they have it by default."""

    def __init__(self, *, file_overwrite: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.file_overwrite = file_overwrite


AZURE = "storages.backends.azure_storage.AzureStorage"
AZURE_OPTIONS = {"account_name": "a", "azure_container": "c", "account_key": "a2V5"}
FTP = "storages.backends.ftp.FTPStorage"
FTP_OPTIONS = {"location": "ftp://user:secret@host:21/"}
FOLDER = "django.core.files.storage.FileSystemStorage"


@pytest.mark.parametrize(
    ("backend", "options", "overwriting", "remedy"),
    [
        (AZURE, AZURE_OPTIONS, {"overwrite_files": True}, '"overwrite_files": false'),
        (FTP, FTP_OPTIONS, {"allow_overwrite": True}, '"allow_overwrite": false'),
        (FOLDER, {}, {"allow_overwrite": True}, '"allow_overwrite": false'),
        (
            f"{__name__}.LikeS3",
            {"file_overwrite": False},
            {"file_overwrite": True},
            '"file_overwrite": false',
        ),
    ],
)
def test_e009_finds_a_storage_that_writes_over_recordings(
    settings: Settings,
    backend: str,
    options: dict[str, object],
    overwriting: dict[str, object],
    remedy: str,
) -> None:
    def store_at(more: dict[str, object]) -> None:
        recordings = {"BACKEND": backend, "OPTIONS": options | more}
        settings.STORAGES = {**settings.STORAGES, "recordings": recordings}

    store_at({})
    assert ids() == set()

    store_at(overwriting)
    assert ids() == {"E009"}
    [error] = check_storage()
    assert remedy in (error.hint or "")
    assert "secret" not in f"{error.msg} {error.hint}"


def test_e009_knows_that_s3_and_google_overwrite_unless_they_are_told_not_to(
    settings: Settings,
) -> None:
    recordings = {"BACKEND": f"{__name__}.LikeS3"}
    settings.STORAGES = {**settings.STORAGES, "recordings": recordings}

    assert ids() == {"E009"}


def test_w002_finds_a_webhook_host_that_django_would_refuse(
    settings: Settings,
) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]

    assert ids() == {"W002"}


def test_w003_warns_of_a_generated_key_beside_a_shared_database(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = settings.DATABASES["default"]
    (tmp_path / "secret_key").write_text(settings.SECRET_KEY, encoding="ascii")
    monkeypatch.setitem(database, "ENGINE", "django.db.backends.sqlite3")
    assert ids() == set()

    monkeypatch.setitem(database, "ENGINE", "django.db.backends.postgresql")

    assert ids() == {"W003"}


def test_w007_points_at_a_misspelt_variable(settings: Settings) -> None:
    settings.UNKNOWN_VARIABLES = {"ACSSTREAM_TEST_CHROMIUM": ""}
    assert ids() == set()

    settings.UNKNOWN_VARIABLES = {"ACSSTREAM_MEDIA_ATH": "ACSSTREAM_MEDIA_AUTH"}
    assert ids() == {"W007"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MEDIA_AUTH", "log_only", "W004"),
        ("CALLBACK_AUTH", "off", "W005"),
    ],
)
def test_deployment_checks_warn_of_open_doors(
    settings: Settings, name: str, value: str, expected: str
) -> None:
    setattr(settings, name, value)

    assert ids() == set()
    assert ids(deploy=True) == {expected}


def test_w001_asks_for_the_event_grid_secret_unless_nothing_is_verified(
    settings: Settings,
) -> None:
    settings.EVENTGRID_SECRET = ""
    assert ids(deploy=True) == {"W001"}

    settings.CALLBACK_AUTH = "off"
    assert ids(deploy=True) == {"W005", "W006"}


def test_enforce_lets_a_right_installation_start() -> None:
    enforce()


def test_enforce_names_every_fault_at_once_and_no_secret(
    settings: Settings,
) -> None:
    settings.ACS_ACCESS_KEY = "hunter2!"
    settings.MEDIA_URL_BASE = ""

    with pytest.raises(ImproperlyConfigured) as caught:
        enforce()

    assert "acsstream.E003" in str(caught.value)
    assert "ACSSTREAM_MEDIA_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("DEBUG", True), ("MEDIA_AUTH", "off")])
def test_enforce_accepts_missing_settings_where_no_call_is_expected(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: object,
) -> None:
    settings.PUBLIC_URL = ""
    setattr(settings, name, value)

    with caplog.at_level(logging.WARNING, "calls.checks"):
        enforce()

    assert "acsstream.W001" in caplog.text


def test_enforce_heeds_silenced_checks(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://console.example.com"
    settings.SILENCED_SYSTEM_CHECKS = ["acsstream.E005"]

    enforce()


@pytest.mark.parametrize(
    "azure",
    [
        {"AZURE_ACCOUNT": "ours"},
        {"AZURE_CONTAINER": "https://x.net/recordings", "AZURE_ACCOUNT": "ours"},
        {"AZURE_CONTAINER": "recordings"},
        {"AZURE_CONTAINER": "recordings", "AZURE_ACCOUNT": "a", "AZURE_KEY": "a key"},
        {
            "AZURE_CONTAINER": "recordings",
            "AZURE_ACCOUNT": "ours",
            "AZURE_CONNECTION_STRING": "AccountName=ours",
        },
    ],
)
def test_e020_settings_of_azure_that_do_not_fit(
    settings: Settings, azure: dict[str, str]
) -> None:
    for name, value in azure.items():
        setattr(settings, name, value)

    assert ids() == {"E020"}


@pytest.mark.parametrize(
    "azure",
    [
        {"AZURE_ACCOUNT": "ours"},
        {"AZURE_ACCOUNT": "ours", "AZURE_KEY": "a2V5"},
        {"AZURE_CONNECTION_STRING": "AccountName=ours"},
    ],
)
def test_identity_key_or_connection_string_will_do_for_azure(
    settings: Settings, azure: dict[str, str]
) -> None:
    settings.AZURE_CONTAINER = "recordings"
    for name, value in azure.items():
        setattr(settings, name, value)

    assert ids() == set()


def test_w021_a_class_that_fetches_whole_files(settings: Settings) -> None:
    settings.STORAGE_BACKEND = "storages.backends.azure_storage.AzureStorage"

    assert ids() == {"W021"}
