"""`manage.py preflight`: what it prints and how it ends."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from calls.preflight import CHECKS


def preflight(*options: str) -> tuple[int, str]:
    """Return exit code and output."""
    output = io.StringIO()
    try:
        call_command("preflight", *options, stdout=output)
    except SystemExit as end:
        return int(end.code or 0), output.getvalue()
    return 0, output.getvalue()


def test_something_red_is_exit_code_1(settings: Settings) -> None:
    settings.MEDIA_URL_BASE = ""

    code, output = preflight("--only", "media-url")

    assert code == 1
    assert "RED " in output
    assert "ACSSTREAM_MEDIA_URL is not set.  (" in output
    assert "→ Set it to wss://" in output
    assert "0 green, 0 to be looked at, 1 red, 0 could not be told; " in output


def test_nothing_red_is_exit_code_0() -> None:
    code, output = preflight("--only", "media-url", "--only", "media-certificate")

    assert code == 0
    assert "1 green, 0 to be looked at, 0 red, 1 could not be told" in output


def test_strict_wants_everything_green() -> None:
    assert preflight("--only", "media-url", "--strict")[0] == 0
    assert preflight("--only", "media-certificate", "--strict")[0] == 1


def test_a_name_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'nonsense'"):
        call_command("preflight", "--only", "nonsense")


def test_json_is_one_object_per_check_and_a_summary(settings: Settings) -> None:
    settings.PUBLIC_URL = ""

    code, output = preflight("--json", "--only", "callback-url", "--only", "media-url")

    told: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines()]
    assert code == 1
    assert [(one["name"], one["status"]) for one in told[:2]] == [
        ("media-url", "green"),
        ("callback-url", "red"),
    ]
    assert set(told[0]) == {
        *("name", "title", "group", "status", "sentence", "advice", "ms")
    }
    assert told[2]["summary"] == {
        "green": 1,
        "warning": 0,
        "red": 1,
        "unknown": 0,
        "ms": told[0]["ms"] + told[1]["ms"],
    }


def test_names_are_unique() -> None:
    names = [check.name for check in CHECKS]

    assert len(names) == len(set(names))
