"""Real ingest processes, as the tests of media sockets have them."""

from tests.recording.conftest import folders
from tests.streaming.conftest import build, client, migrated

__all__ = ["build", "client", "folders", "migrated"]
