"""Recordings in a container of Azure Blob Storage.

django-storages' storage, with what recordings need beside: ranges are read without the
rest of a blob, blocks are checked by Azure as they arrive, folders are listed one by
one, errors are told in words, and an outage is found out in seconds instead of minutes.
"""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobClient,
    BlobPrefix,
    BlobServiceClient,
    ContentSettings,
)
from django.core.files import File
from django.utils.deconstruct import deconstructible
from storages.backends.azure_storage import AzureStorage

from calls.storage_faults import azure_fault

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 1 << 20
BLOCK_BYTES = 4 << 20
# azure-core waits for minutes before it gives up: a task that fails is tried again, and
# a page must not wait.
PATIENCE: dict[str, Any] = {
    "connection_timeout": 5,
    "read_timeout": 60,
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 2,
    "max_single_put_size": BLOCK_BYTES,
    "max_block_size": BLOCK_BYTES,
}
PROBE = ".probe"


@deconstructible
class AzureRecordings(AzureStorage):  # type: ignore[misc] # storages has no types
    """A container, with the options of django-storages' `AzureStorage`.

    Without a key, a token and a connection string it takes the machine's identity:
    managed identity, workload identity, or what `az login` left. `client_id` names a
    user-assigned one. Every error is an `OSError`: `FileNotFoundError` for a blob that
    is not there, else `StorageFaultError`.
    """

    client_options: dict[str, Any]
    token_credential: object | None

    def __init__(self, *, client_id: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._origin = ""
        known = (self.connection_string, self.account_key, self.sas_token)
        if not any(known) and self.token_credential is None:
            self.token_credential = _identity(client_id)

    def _get_service_client(self) -> BlobServiceClient:
        options = PATIENCE | self.client_options
        if self.connection_string:
            # The parent forgets the options here.
            return BlobServiceClient.from_connection_string(
                self.connection_string, **options
            )
        self.client_options = options
        return cast(BlobServiceClient, super()._get_service_client())

    def _blob(self, name: str) -> BlobClient:
        blob: BlobClient = self.client.get_blob_client(self._get_valid_path(name))
        return blob

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]
        if mode != "rb":
            raise ValueError("recordings are saved whole and opened to be read")
        with told():
            return File(
                io.BufferedReader(BlobReader(self._blob(name)), READ_BYTES), name
            )

    def _save(self, name: str, content: IO[bytes]) -> str:
        settings = ContentSettings(
            **self._get_content_settings_parameters(name, content)
        )
        source = cast(IO[bytes], getattr(content, "file", content))
        source.seek(0)
        with told():
            # Each block carries its MD5, and Azure refuses one that is not it. Only
            # with the last request is there a blob, and it takes no other's place.
            self._blob(name).upload_blob(
                source,
                overwrite=False,
                validate_content=True,
                max_concurrency=1,
                content_settings=settings,
            )
        return name

    def exists(self, name: str) -> bool:
        """Say whether there is such a blob."""
        with told():
            return bool(name) and self._blob(name).exists()

    def size(self, name: str) -> int:
        """Return how many bytes a blob has."""
        with told():
            return int(self._blob(name).get_blob_properties().size)

    def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""
        with told():
            super().delete(name)

    def get_modified_time(self, name: str) -> Any:
        """Return when a blob was last changed."""
        with told():
            return super().get_modified_time(name)

    def listdir(self, path: str = "") -> tuple[list[str], list[str]]:
        """Return the folders and the files of one folder, as names within it."""
        start = "/".join(part for part in (self.location.strip("/"), path) if part)
        start = f"{start}/" if start else ""
        folders: list[str] = []
        files: list[str] = []
        with told():
            for found in self.client.walk_blobs(name_starts_with=start, delimiter="/"):
                name = found.name.removeprefix(start).rstrip("/")
                (folders if isinstance(found, BlobPrefix) else files).append(name)
        return folders, files

    def probe(self) -> None:
        """Raise what would keep a recording from being stored now.

        A block is sent to a blob that is never finished: it needs the same rights and
        the same room, nobody ever sees it, and Azure forgets it within a week.
        """
        with told():
            self._blob(PROBE).stage_block(
                uuid.UUID(int=0).hex, b"?", retry_total=0, read_timeout=10
            )

    def signed_url(self, name: str, seconds: int, disposition: str) -> str:
        """Return an address that gives this one blob to whoever has it, for so long."""
        headers = {"content_disposition": disposition} if disposition else {}
        with told():
            return str(self.url(name, expire=seconds, parameters=headers))

    @property
    def origin(self) -> str:
        """The origin of signed addresses, such as https://name.blob.core.windows.net."""
        if not self._origin:
            primary = self.service_client.url.split("/")
            host = self.custom_domain or primary[2]
            self._origin = f"{primary[0]}//{host}"
        return self._origin


def _identity(client_id: str) -> object:
    # Imported by whom it concerns: it takes a third of a second.
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id or None)


@contextmanager
def told() -> Iterator[None]:
    """Turn Azure's errors into ours."""
    try:
        yield
    except ResourceExistsError as exc:
        if _code(exc) == "BlobAlreadyExists":
            raise FileExistsError("the name is taken") from exc
        raise azure_fault(exc.status_code, _code(exc)) from exc
    except ResourceNotFoundError as exc:
        if _code(exc) in ("BlobNotFound", ""):
            # HEAD has no body, and may have no code.
            raise FileNotFoundError("there is no such blob") from exc
        raise azure_fault(exc.status_code, _code(exc)) from exc
    except HttpResponseError as exc:
        raise azure_fault(exc.status_code, _code(exc)) from exc
    except AzureError as exc:
        raise azure_fault(None, "") from exc


def _code(exc: HttpResponseError) -> str:
    code = getattr(exc, "error_code", None) or ""
    return str(getattr(code, "value", code))


class BlobReader(io.RawIOBase):
    """One blob, read range by range, and always the same version of it."""

    def __init__(self, blob: BlobClient) -> None:
        self._blob = blob
        properties = blob.get_blob_properties()
        self._size, self._etag, self._at = properties.size, properties.etag, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte; nothing is fetched."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return where it is."""
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fetch as many bytes as there is room for, in one request."""
        room = memoryview(buffer).cast("B")
        length = min(len(room), self._size - self._at)
        if length <= 0:
            return 0
        with told():
            content = self._blob.download_blob(
                offset=self._at,
                length=length,
                etag=self._etag,
                match_condition=MatchConditions.IfNotModified,
            ).readall()
        room[: len(content)] = content
        self._at += len(content)
        return len(content)
