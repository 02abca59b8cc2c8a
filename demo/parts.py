"""Which processes the demo runs, and how each shows that it is ready."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from acsstream.celery import app
from demo.loopback import HttpError, answers, json_of
from demo.processes import Part
from demo.redis import redis_executable

PING_SECONDS = 0.5


def waves(folder: Path, listening: int) -> tuple[tuple[Part, ...], ...]:
    """Return the parts in the order in which they need each other.

    Addresses are those of the settings, which the demo's environment has set. Raises
    `RedisMissingError`.
    """
    return (
        (_redis(folder),),
        (_web(listening), _ingest(), _worker(), _beat(folder)),
        (_emulator(), _realtime()),
    )


def _part(
    name: str, argv: list[str], is_ready: Callable[[], bool], *, restarted: bool = True
) -> Part:
    return Part(name, argv, is_ready, os.environ, is_restarted=restarted)


def _redis(folder: Path) -> Part:
    argv = [
        redis_executable(),
        *("--bind", "127.0.0.1", "--port", str(_port(settings.REDIS_URL))),
        *("--dir", str(folder), "--save", "", "--appendonly", "no"),
    ]
    return _part("redis", argv, _redis_answers, restarted=False)


def _redis_answers() -> bool:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def _web(listening: int) -> Part:
    argv = _python("manage.py", "web", "--fd", str(listening))
    ready = f"{settings.PUBLIC_URL}/readyz"
    part = _part("web", argv, lambda: answers(ready))
    return replace(part, sockets=(listening,))


def _ingest() -> Part:
    port = _port(settings.MEDIA_URL_BASE)
    argv = _python("manage.py", "ingest", "--port", str(port))
    return _part("ingest", argv, lambda: answers(f"http://127.0.0.1:{port}/readyz"))


def _worker() -> Part:
    argv = _python("-m", "celery", "-A", "acsstream", "worker")
    options = ["--concurrency", "2", "--hostname", "worker@demo"]
    return _part("worker", [*argv, *options, "--loglevel", "INFO"], _worker_answers)


def _worker_answers() -> bool:
    try:
        return bool(app.control.ping(timeout=PING_SECONDS))
    except (OperationalError, redis.RedisError):
        return False


def _beat(folder: Path) -> Part:
    schedule = folder / "beat-schedule"
    argv = _python("-m", "celery", "-A", "acsstream", "beat", "--pidfile=")
    # It answers nobody; its schedule is the first thing it writes, under this name
    # with or without an ending.
    return _part(
        "beat",
        [*argv, "--schedule", str(schedule)],
        lambda: any(folder.glob("beat-schedule*")),
    )


def _emulator() -> Part:
    argv = _python("-m", "emulator")
    # With it all calls would be gone: that is the end of the demo.
    return _part("emulator", argv, _emulator_is_subscribed, restarted=False)


def _emulator_is_subscribed() -> bool:
    """Say whether its Event Grid has been accepted by our webhook."""
    try:
        health = json_of(f"{settings.ACS_ENDPOINT}/emulator/health")
    except HttpError:
        return False
    return bool(health["event_grid"] == "validated")


def _realtime() -> Part:
    port = _port(settings.REALTIME_URL)
    argv = _python("-m", "emulator.realtime", "--port", str(port))
    ready = f"http://127.0.0.1:{port}/emulator/realtime"
    return _part("realtime", argv, lambda: answers(ready))


def _python(*argv: str) -> list[str]:
    return [sys.executable, *argv]


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise AssertionError("the demo's environment names every port")
    return port
