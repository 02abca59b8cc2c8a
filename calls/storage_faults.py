"""What keeps a storage from taking or giving recordings, in words, with what to do.

Nothing a server says is repeated but its error code: its messages quote requests.
"""

import errno
from typing import Final

FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class StorageFaultError(OSError):
    """The storage refuses, is full, or does not answer. `advice` says what to do."""

    def __init__(self, words: str, advice: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.advice = advice


def folder_fault(exc: OSError) -> StorageFaultError:
    """Return what a folder's error means."""
    if isinstance(exc, StorageFaultError):
        return exc
    told = exc.strerror or type(exc).__name__
    if exc.errno in FULL:
        return StorageFaultError(
            f"the disk of the recordings is full ({told})", "Free space on it."
        )
    return StorageFaultError(
        f"the folder of recordings cannot be written ({told})",
        "Check ACSSTREAM_RECORDINGS_DIR, its mount, owner and mode.",
    )


NETWORK: Final = (
    "Azure cannot be reached",
    "Check network, DNS and proxy from this machine to the storage account.",
)
CREDENTIALS: Final = (
    "Azure refuses the credentials",
    "Check the account's key or connection string: it may have been renewed.",
)
RIGHTS: Final = (
    "these credentials may not write to the container",
    "Give the identity the role Storage Blob Data Contributor on it.",
)
NO_CONTAINER: Final = (
    "the container does not exist",
    "Create it, or mend ACSSTREAM_AZURE_CONTAINER.",
)
NO_SPACE: Final = (
    "the storage account is full",
    "Free space in it, have its limit raised, or name another account.",
)
BUSY: Final = ("Azure is busy or out of order", "It is tried again by itself.")
BY_CODE: Final = {
    "AuthenticationFailed": CREDENTIALS,
    "InvalidAuthenticationInfo": CREDENTIALS,
    "NoAuthenticationInformation": CREDENTIALS,
    "AuthorizationFailure": (
        "Azure does not let this machine in",
        "Check the account's firewall (Networking), whether access by key is allowed"
        " (Configuration), and the key.",
    ),
    "AuthorizationPermissionMismatch": RIGHTS,
    "InsufficientAccountPermissions": RIGHTS,
    "AuthorizationProtocolMismatch": RIGHTS,
    "ContainerNotFound": NO_CONTAINER,
    "ContainerBeingDeleted": NO_CONTAINER,
    "ContainerDisabled": NO_CONTAINER,
    "ResourceNotFound": NO_CONTAINER,
    "AccountIsDisabled": (
        "the storage account is disabled",
        "Look at its subscription in the Azure portal.",
    ),
    "BlobImmutableDueToPolicy": (
        "an immutability policy of the container forbids it",
        "Recordings are written once and replaced when a call goes on: allow that.",
    ),
}


def azure_fault(status: int | None, code: str) -> StorageFaultError:
    """Return what an answer of Azure means; `status` None: there was none."""
    if status is None:
        return StorageFaultError(*NETWORK)
    told = BY_CODE.get(code)
    if told is None and (status == 507 or _tells_of_space(code)):
        told = NO_SPACE
    if told is None and status in (429, 500, 502, 503, 504):
        told = BUSY
    if told is None and status in (401, 403):
        told = RIGHTS if status == 403 else CREDENTIALS
    # An error code is a word; whatever is not is none of Azure's.
    shown = code if code.isalnum() and len(code) <= 60 else ""
    answered = f"Azure answered {status} {shown}".strip()
    if told is None:
        return StorageFaultError(answered, "Look the code up in Azure's documentation.")
    return StorageFaultError(f"{told[0]} ({answered})", told[1])


def _tells_of_space(code: str) -> bool:
    return any(word in code for word in ("Quota", "Capacity", "InsufficientStorage"))
