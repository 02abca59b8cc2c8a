"""Fixtures of the tests of tones: an emulated ACS, real ingest processes."""

from tests.control.conftest import bench, emulator_bench, line
from tests.streaming.conftest import build, client, migrated

__all__ = ["bench", "build", "client", "emulator_bench", "line", "migrated"]
