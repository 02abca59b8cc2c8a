"""Settings as of a real installation, and an authority that this machine trusts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from pytest_django import Settings

from tests.control.conftest import bench, emulator_bench
from tests.preflight.tls import Authority
from tests.streaming.conftest import build, migrated

__all__ = ["bench", "build", "emulator_bench", "migrated"]

AZURE = "https://name.communication.azure.com"
Issue = Callable[..., Path]


@pytest.fixture
def real_acs(settings: Settings) -> None:
    """ACS is Azure's, not an emulator near by. It is not asked in these tests."""
    settings.ACS_ENDPOINT = AZURE


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that OpenSSL trusts for this test, as an operator could have it."""
    authority = Authority("Authority of the tests")
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


@pytest.fixture
def issue(trusted: Authority, tmp_path: Path) -> Issue:
    """Return what issues a trusted certificate: a PEM file."""

    def issue(host: str = "localhost", *, days: float = 90, since: int = 0) -> Path:
        return trusted.issue(tmp_path, host, days=days, since=since)

    return issue


@pytest.fixture
def with_redis(settings: Settings, redis_url: str) -> str:
    settings.REDIS_URL = redis_url
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url
