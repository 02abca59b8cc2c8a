"""A container of a real Azurite behind a door, as the storage of recordings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from pytest_django import Settings

from calls import storage
from tests.azurite import Azurite, azurite_server
from tests.faults.door import Door
from tests.recording.conftest import folders as folders


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite_server(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture
def door(azurite: Azurite) -> Iterator[Door]:
    door = Door(azurite.port)
    yield door
    door.close()


@pytest.fixture
def options(azurite: Azurite, door: Door) -> dict[str, Any]:
    """What an installation says of its Azure, to be made wrong."""
    return {
        "connection_string": azurite.connection_string(door.port),
        "azure_container": "recordings",
        "client_options": {"retry_total": 0},
    }


@pytest.fixture
def container(
    azurite: Azurite, options: dict[str, Any], settings: Settings, folders: Path
) -> Iterator[ContainerClient]:
    """The container in which recordings are, for this test alone."""
    with azurite.container() as client:
        options["azure_container"] = client.container_name
        use(settings, options)
        yield client


def use(settings: Settings, options: dict[str, Any]) -> None:
    """Let recordings be stored in Azure."""
    settings.STORAGES = settings.STORAGES | {
        "recordings": {
            "BACKEND": "calls.azure_blobs.AzureRecordings",
            "OPTIONS": options,
        }
    }
    storage._probed.at = float("-inf")
