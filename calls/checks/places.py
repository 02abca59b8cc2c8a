"""Whether what is received can be kept where the settings say."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages

from calls.checks.acs import is_base64
from calls.storage import (
    OVERWRITING,
    StorageFaultError,
    overwriting_option,
    storage_try,
)

CONTAINER_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")


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


def write_fault(folder: Path) -> str:
    """Try to write a file in `folder`, which is made if need be; "" if that works."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written by a system check")
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""
