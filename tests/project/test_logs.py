"""Log lines: one shape for ours and for libraries', and no secret in any of them."""

import json
import subprocess
import sys

import pytest

from acsstream.logs import without_secrets

PROGRAM = """
import logging, structlog
from acsstream.logs import configure, logging_config
configure(logging_config(level="INFO", style={style!r}))
{statement}
"""


def logged(statement: str, *, style: str = "json") -> str:
    """Return what a process of its own writes to standard error."""
    program = PROGRAM.format(style=style, statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /media/AbC-_1 101", "GET /media/*** 101"),
        ("/transcription/AbC?x=1", "/transcription/***?x=1"),
        ('"POST /webhooks/calls/AbC HTTP/1.1"', '"POST /webhooks/calls/*** HTTP/1.1"'),
        ("/webhooks/eventgrid?secret=AbC&a=1", "/webhooks/eventgrid?secret=***&a=1"),
        ("https://x.blob/y?sv=1&sig=AbC%3D", "https://x.blob/y?sv=1&sig=***"),
        ("GET /admin/calls/call/", "GET /admin/calls/call/"),
        ("of 4:+12065550100.", "of 4:+***."),
        ("of +44 20 7946 0100 at 7", "of +*** at 7"),
        ("/admin/?q=%2B12065550100", "/admin/?q=%2B***"),
        ("2026-03-01T12:00:00.123456+00:00", "2026-03-01T12:00:00.123456+00:00"),
        ("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("postgresql://acs:h%40x@db/acs", "postgresql://acs:***@db/acs"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJh.c2ln!", "token ***!"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
    ],
)
def test_hides_secrets_in_urls(line: str, expected: str) -> None:
    assert without_secrets(line) == expected


@pytest.mark.parametrize("style", ["json", "text"])
def test_hides_secrets_however_they_are_logged(style: str) -> None:
    statements = [
        'structlog.get_logger("x").info("GET /media/AbC")',
        'structlog.get_logger("x").info("GET", path="/media/AbC")',
        'structlog.get_logger("x").info("GET %s", "/media/AbC")',
        'logging.getLogger("x").info("GET /media/AbC")',
        'logging.getLogger("x").info("GET %s", "/media/AbC")',
        'logging.getLogger("x").info("GET", extra={"path": "/media/AbC"})',
    ]

    lines = logged("\n".join(statements), style=style)

    assert lines.count("GET") == len(statements)
    assert "AbC" not in lines


@pytest.mark.parametrize("style", ["json", "text"])
def test_hides_secrets_in_tracebacks(style: str) -> None:
    line = logged(
        "try:\n"
        "    raise ValueError('cannot open /media/' + 'AbC')\n"
        "except ValueError:\n"
        "    logging.getLogger('x').exception('failed')\n",
        style=style,
    )

    assert "ValueError: cannot open /media/" in line
    assert "/media/AbC" not in line


def test_writes_one_json_object_per_line_with_named_fields() -> None:
    line = logged('structlog.get_logger("calls").warning("stalled", call_id="c1")')

    entry = json.loads(line)
    assert entry["event"] == "stalled"
    assert entry["call_id"] == "c1"
    assert entry["level"] == "warning"
    assert entry["logger"] == "calls"
    assert entry["timestamp"].endswith("Z")


def test_hiding_leaves_json_readable() -> None:
    line = logged("""logging.getLogger("x").info('"GET /media/AbC" \\\\ 101')""")

    assert json.loads(line)["event"] == '"GET /media/***" \\ 101'


def test_writes_libraries_lines_in_the_same_shape() -> None:
    line = logged('logging.getLogger("uvicorn").error("no %s", "luck")')

    entry = json.loads(line)
    assert (entry["event"], entry["level"]) == ("no luck", "error")


def test_leaves_out_what_is_below_the_level() -> None:
    assert logged('logging.getLogger("x").debug("detail")') == ""


def test_keeps_the_azure_sdk_from_logging_requests() -> None:
    assert logged('logging.getLogger("azure.core").info("to: +1206555")') == ""


def test_keeps_libraries_from_logging_keys_and_speech_at_any_level() -> None:
    lines = "; ".join(
        f'logging.getLogger("{name}").debug("a secret")'
        for name in ("websockets.client", "authlib.integrations", "openai._client")
    )

    told = logged(f'logging.root.setLevel("DEBUG"); {lines}; logging.debug("detail")')

    assert "detail" in told
    assert "secret" not in told


RAISE = (
    "number = '+1206' + '5550100'\n"
    "try:\n    int(number + 'x')\n"
    "except ValueError:\n    logging.getLogger({name!r}).exception('it failed')"
)


def test_a_strangers_host_header_costs_one_line() -> None:
    written = logged(RAISE.format(name="django.security.DisallowedHost"), style="text")

    assert written.count("\n") == 1
    assert "it failed" in written


def test_tracebacks_show_no_local_variables() -> None:
    written = logged(RAISE.format(name="calls"), style="text")

    assert "Traceback" in written
    # Neither as a variable nor in what the exception itself says.
    assert "2065550100" not in written
