"""A process of a console's own installation, which runs what tests give it.

To boot Django takes seconds of processor time, beside a browser that has none to spare:
it is done once. Connections to the database last no longer than a piece of code.
"""

import contextlib
import io
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

import django
from django.db import connections

ROOT = Path(__file__).parents[2]
Run = Callable[[str], str]
# For Daphne, whose own 5 s for a handshake are few on a busy machine: the page dials
# again, but an error is in its console, and tests let none pass.
PATIENT = ("--websocket_connect_timeout", "60")


@contextlib.contextmanager
def standing(environment: Mapping[str, str]) -> Iterator[Run]:
    """Yield what runs Python in that environment and returns what it printed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.console.standing"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        said, heard = process.stdin, process.stdout

        def run(code: str) -> str:
            said.write(json.dumps(code) + "\n")
            said.flush()
            answer = heard.readline()
            assert answer, "it has ended, and said why on stderr"
            printed, fault = json.loads(answer)
            assert not fault, fault
            return str(printed)

        yield run


def serve(codes: TextIO, answers: TextIO) -> None:
    """Run each line, a JSON string, and answer what it printed and how it failed."""
    django.setup()
    for code in codes:
        printed, fault = io.StringIO(), ""
        try:
            with contextlib.redirect_stdout(printed):
                exec(json.loads(code), {"__name__": "standing"})  # noqa: S102 tests' own
        except Exception:  # noqa: BLE001 the test says it
            fault = traceback.format_exc()
        finally:
            connections.close_all()
        answers.write(json.dumps([printed.getvalue(), fault]) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
