"""System checks: what is wrong or missing in the settings, and what to do about it.

`manage.py check` runs them, `manage.py check --deploy` more of them, and the processes
of an installation refuse to start over errors (`enforce`). Ids are stable, so that one
can be silenced by `SILENCED_SYSTEM_CHECKS` and looked up in the documentation. No
message repeats a secret.
"""

import base64
import binascii
import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.http.request import validate_host

from calls.addresses import is_base_url
from calls.doors import bound_host, off_fault
from calls.storage import (
    OVERWRITING,
    StorageFaultError,
    overwriting_option,
    storage_try,
)

logger = logging.getLogger(__name__)

CONTAINER_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")


def missing_names() -> list[str]:
    """Return the variables without which no call can be answered or verified."""
    needed = {
        "ACSSTREAM_ACS_ENDPOINT": settings.ACS_ENDPOINT,
        "ACSSTREAM_ACS_ACCESS_KEY": settings.ACS_ACCESS_KEY,
        "ACSSTREAM_PUBLIC_URL": settings.PUBLIC_URL,
        "ACSSTREAM_MEDIA_URL": settings.MEDIA_URL_BASE,
    }
    if "off" not in (settings.MEDIA_AUTH, settings.CALLBACK_AUTH):
        needed["ACSSTREAM_ACS_RESOURCE_ID"] = settings.ACS_RESOURCE_ID
    if settings.CALLBACK_AUTH != "off" and not settings.EVENTGRID_AUDIENCE:
        needed["ACSSTREAM_EVENTGRID_SECRET"] = settings.EVENTGRID_SECRET
    return [name for name, value in needed.items() if not value]


@register()
def check_presence(**_: object) -> list[CheckMessage]:
    """W001: ACS is not, or not fully, configured.

    A warning: whoever looks around on a laptop has nothing to configure yet.
    """
    missing = missing_names()
    if not missing:
        return []
    return [
        Warning(
            f"No call can be answered: {', '.join(missing)} not set.",
            hint="README.md lists every setting. `make demo` needs none of them.",
            id="acsstream.W001",
        )
    ]


@register()
def check_acs(**_: object) -> list[CheckMessage]:
    """E002 endpoint, E003 access key, E004 resource id: set, but not what they are."""
    found: list[CheckMessage] = []
    if settings.ACS_ENDPOINT and not is_base_url(settings.ACS_ENDPOINT, "http"):
        found.append(
            Error(
                "ACSSTREAM_ACS_ENDPOINT is not an https:// URL of a host.",
                hint="Azure portal, Keys: https://name.communication.azure.com, without"
                " a path. http:// is for an emulator on this machine or its network.",
                id="acsstream.E002",
            )
        )
    if settings.ACS_ACCESS_KEY and not is_base64(settings.ACS_ACCESS_KEY):
        found.append(
            Error(
                "ACSSTREAM_ACS_ACCESS_KEY is not base64.",
                hint="Set the key alone, not the connection string, with its = signs.",
                id="acsstream.E003",
            )
        )
    if settings.ACS_RESOURCE_ID and not is_guid(settings.ACS_RESOURCE_ID):
        found.append(
            Error(
                "ACSSTREAM_ACS_RESOURCE_ID is not a GUID.",
                hint="The resource's immutable id: `az communication show … --query"
                " immutableResourceId`. Not its /subscriptions/… path.",
                id="acsstream.E004",
            )
        )
    return found


@register()
def check_public_urls(**_: object) -> list[CheckMessage]:
    """E005 PUBLIC_URL, E006 MEDIA_URL, W002 a host that Django would refuse."""
    found: list[CheckMessage] = []
    if settings.PUBLIC_URL and not is_base_url(settings.PUBLIC_URL, "http"):
        found.append(
            Error(
                "ACSSTREAM_PUBLIC_URL is not an https:// URL of a host.",
                hint="ACS calls webhooks over TLS with a certificate it trusts. http://"
                " is for an emulator on this machine or its network.",
                id="acsstream.E005",
            )
        )
    elif settings.PUBLIC_URL and not is_allowed(settings.PUBLIC_URL):
        found.append(
            Warning(
                "ALLOWED_HOSTS does not have the host of ACSSTREAM_PUBLIC_URL.",
                hint="Django would answer ACS's webhooks with 400, unless a proxy"
                " rewrites the Host header.",
                id="acsstream.W002",
            )
        )
    if settings.MEDIA_URL_BASE and not is_base_url(settings.MEDIA_URL_BASE, "ws"):
        found.append(
            Error(
                "ACSSTREAM_MEDIA_URL is not a wss:// URL of a host.",
                hint="ACS dials wss:// only. ws:// is for an emulator on this machine"
                " or its network.",
                id="acsstream.E006",
            )
        )
    return found


@register()
def check_folders(**_: object) -> list[CheckMessage]:
    """E007: a folder in which audio is kept cannot be written to."""
    folders = {"ACSSTREAM_JOURNAL_DIR": settings.JOURNAL_DIR}
    if settings.STORAGE_BACKEND.endswith("FileSystemStorage"):
        folders["ACSSTREAM_RECORDINGS_DIR"] = settings.RECORDINGS_DIR
    return [
        Error(
            f"{name}: cannot write to {folder}: {fault}",
            hint="Audio would be lost. Mend owner and mode, or name another folder.",
            id="acsstream.E007",
        )
        for name, folder in folders.items()
        if (fault := write_fault(folder))
    ]


@register()
def check_storage(**_: object) -> list[CheckMessage]:
    """E008: the storage of recordings cannot be set up. E009: it overwrites.

    Finishing again may store another manifest under a name that a row has. Written
    over, row and file disagree until the commit, or for ever if there is none.
    """
    try:
        # Options are looked at when the storage is made; nothing is sent anywhere.
        option = overwriting_option(storages["recordings"])
    except (TypeError, ValueError, ImproperlyConfigured) as exc:
        # The message of a TypeError names options, never their values.
        return [
            Error(
                f"ACSSTREAM_STORAGE_BACKEND cannot be set up: {exc}",
                hint="Set the full Python path of a Django storage class, and in"
                " ACSSTREAM_STORAGE_OPTIONS a JSON object of its options.",
                id="acsstream.E008",
            )
        ]
    if not option:
        return []
    return [
        Error(
            f"The storage of recordings overwrites: its option {option} is on.",
            hint="Recordings must never be written over. Add"
            f" {OVERWRITING[option]} to ACSSTREAM_STORAGE_OPTIONS.",
            id="acsstream.E009",
        )
    ]


@register()
def check_azure(**_: object) -> list[CheckMessage]:
    """E020 what is missing or odd of Azure's settings; W021 another class for it."""
    found: list[CheckMessage] = []
    if settings.STORAGE_BACKEND.endswith("azure_storage.AzureStorage"):
        found.append(
            Warning(
                "The storage class of django-storages fetches whole files for a part.",
                hint="Set ACSSTREAM_AZURE_CONTAINER and leave ACSSTREAM_STORAGE_BACKEND"
                " empty, or set it to calls.azure_blobs.AzureRecordings.",
                id="acsstream.W021",
            )
        )
    return found + [
        Error(fault, hint=hint, id="acsstream.E020") for fault, hint in azure_faults()
    ]


def azure_faults() -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the settings of Azure, and what to do."""
    container, account = settings.AZURE_CONTAINER, settings.AZURE_ACCOUNT
    key, whole = settings.AZURE_KEY, settings.AZURE_CONNECTION_STRING
    if not container and (account or key or whole):
        yield (
            "ACSSTREAM_AZURE_… is set without ACSSTREAM_AZURE_CONTAINER.",
            "Name the container; without one, recordings go to a local folder.",
        )
    if not container:
        return
    if not CONTAINER_NAME.fullmatch(container):
        yield (
            "ACSSTREAM_AZURE_CONTAINER is not the name of a container.",
            "3 to 63 lower-case letters, digits and single hyphens. No URL.",
        )
    if not account and not whole:
        yield (
            "ACSSTREAM_AZURE_CONTAINER is set, and no account.",
            "Set ACSSTREAM_AZURE_ACCOUNT, or ACSSTREAM_AZURE_CONNECTION_STRING.",
        )
    if whole and (account or key):
        yield (
            "ACSSTREAM_AZURE_CONNECTION_STRING is set, and account or key are too.",
            "Set one or the other: it holds both.",
        )
    if key and not is_base64(key):
        yield (
            "ACSSTREAM_AZURE_KEY is not base64.",
            "Set the key alone, not the connection string, with its = signs.",
        )


@register(Tags.security, deploy=True)
def check_storage_answers(**_: object) -> list[CheckMessage]:
    """W020: the storage of recordings was tried, and takes nothing now."""
    try:
        storage_try()
    except StorageFaultError as exc:
        return [
            Warning(
                f"No recording can be stored: {exc.words}.",
                hint=exc.advice or None,
                id="acsstream.W020",
            )
        ]
    except (TypeError, ValueError, ImproperlyConfigured):
        # E008 tells.
        return []
    return []


@register()
def check_secret_key(**_: object) -> list[CheckMessage]:
    """W003: a generated key, where several machines seem to share a database."""
    key_file = settings.DATA_DIR / "secret_key"
    is_generated = key_file.exists() and key_file.read_text().strip() == str(
        settings.SECRET_KEY
    )
    if is_generated and "postgresql" in settings.DATABASES["default"]["ENGINE"]:
        return [
            Warning(
                "SECRET_KEY was generated on this machine.",
                hint="Media and callback URLs are signed with it. Once a second machine"
                " runs, all must have the same: set SECRET_KEY, or SECRET_KEY_FILE.",
                id="acsstream.W003",
            )
        ]
    return []


@register()
def check_names(**_: object) -> list[CheckMessage]:
    """W007: an environment variable that nothing reads, probably misspelt."""
    return [
        Warning(
            f"{name} is set, and no setting has that name.",
            hint=f"Did you mean {meant}?"
            if meant
            else "README.md lists every setting.",
            id="acsstream.W007",
        )
        for name, meant in settings.UNKNOWN_VARIABLES.items()
        if not name.startswith("ACSSTREAM_TEST_")
    ]


def check_bind(**_: object) -> list[CheckMessage]:
    """E010: authentication is off where others than this machine could come.

    Known of a server's own process alone, which its command line tells where to listen.
    """
    host = bound_host()
    fault = "" if host is None else off_fault(host)
    if not fault:
        return []
    hint = "off is for load tests and development on loopback."
    return [Error(fault, hint=hint, id="acsstream.E010")]


@register()
def check_event_grid(**_: object) -> list[CheckMessage]:
    """E011: Event Grid's Entra token is asked for, and cannot be verified."""
    needed = {
        "ACSSTREAM_EVENTGRID_ISSUER": settings.EVENTGRID_ISSUER,
        "ACSSTREAM_EVENTGRID_OPENID_URL": settings.EVENTGRID_OPENID_URL,
    }
    missing = [name for name, value in needed.items() if not value]
    if not settings.EVENTGRID_AUDIENCE or not missing:
        return []
    return [
        Error(
            f"ACSSTREAM_EVENTGRID_AUDIENCE is set, {' and '.join(missing)} not.",
            hint="docs/doors.md says what an Entra token of Event Grid holds.",
            id="acsstream.E011",
        )
    ]


@register(Tags.security, deploy=True)
def check_authentication(**_: object) -> list[CheckMessage]:
    """W004 media, W005 callbacks, W006 Event Grid: what lets in who proves nothing."""
    found: list[CheckMessage] = []
    if settings.MEDIA_AUTH != "required":
        found.append(
            Warning(
                f"ACSSTREAM_MEDIA_AUTH is {settings.MEDIA_AUTH}.",
                hint="Whoever reaches ingest can stream into the archive.",
                id="acsstream.W004",
            )
        )
    if settings.CALLBACK_AUTH != "required":
        found.append(
            Warning(
                f"ACSSTREAM_CALLBACK_AUTH is {settings.CALLBACK_AUTH}.",
                hint="Callbacks are then only as secret as their URLs.",
                id="acsstream.W005",
            )
        )
    # With verified callbacks Event Grid is refused without a secret: that is W001.
    proof = settings.EVENTGRID_SECRET or settings.EVENTGRID_AUDIENCE
    if settings.CALLBACK_AUTH == "off" and not proof:
        found.append(
            Warning(
                "ACSSTREAM_EVENTGRID_SECRET is not set: anybody can ring.",
                hint="Whoever reaches the console can have calls answered. Set a long"
                " random text and subscribe Event Grid to"
                " <public URL>/webhooks/eventgrid?secret=<it>.",
                id="acsstream.W006",
            )
        )
    return found


CHECKS: tuple[Callable[..., list[CheckMessage]], ...] = (
    check_presence,
    check_acs,
    check_public_urls,
    check_folders,
    check_storage,
    check_azure,
    check_secret_key,
    check_names,
    check_bind,
    check_event_grid,
)


def enforce() -> None:
    """Refuse to start over wrong settings, and warn of doubtful ones.

    For entry points: ASGI applications and Celery, which Django's own checks do not
    pass. Missing ACS settings (W001) are refused as well, unless it is plain that no
    call of ACS is expected: with `DEBUG`, or with `ACSSTREAM_MEDIA_AUTH=off`. Raises
    `ImproperlyConfigured` with every fault at once.
    """
    expects_calls = not settings.DEBUG and settings.MEDIA_AUTH != "off"
    faults: list[CheckMessage] = []
    for message in not_silenced(found for check in CHECKS for found in check()):
        if message.is_serious() or (expects_calls and message.id == "acsstream.W001"):
            faults.append(message)
        else:
            logger.warning("%s: %s %s", message.id, message.msg, message.hint)
    if faults:
        listed = "\n".join(f"  {at.id}: {at.msg}\n    {at.hint}" for at in faults)
        raise ImproperlyConfigured(f"The settings do not allow a start:\n{listed}")


def not_silenced(messages: Iterator[CheckMessage]) -> Iterator[CheckMessage]:
    """Yield the messages that `SILENCED_SYSTEM_CHECKS` does not silence."""
    return (message for message in messages if not message.is_silenced())


def is_allowed(url: str) -> bool:
    """Say whether Django answers requests for the host of `url`."""
    host = urlsplit(url).hostname or ""
    literal = f"[{host}]" if ":" in host else host
    return bool(settings.DEBUG) or validate_host(literal, settings.ALLOWED_HOSTS)


def is_base64(text: str) -> bool:
    """Say whether `text` is padded standard base64."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def is_guid(text: str) -> bool:
    """Say whether `text` is a GUID as Azure writes it, with its hyphens."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def write_fault(folder: Path) -> str:
    """Try to write a file in `folder`, which is made if need be; "" if that works."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written by a system check")
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""
