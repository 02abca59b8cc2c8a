"""The callers of the echo benchmark, where a call ends that should not."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from benchmarks import echo
from benchmarks.echo_caller import Calls
from benchmarks.frames import CLOSE
from tests.benchmarks.test_speaker import ACCEPTED, PATIENCE, Line, line

__all__ = ["line"]

WHY = b"50 streams are open, the limit"


def test_a_call_that_is_turned_away_is_one_line_with_code_and_reason(
    line: Line,
) -> None:
    calls = Calls(line.listener.getsockname()[1], "bench", 1, 60.0)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*(sys.executable, "-m", "benchmarks.echo_caller"), json.dumps(asdict(calls))],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as caller:
        closing = (1013).to_bytes(2, "big") + WHY
        line.answer(ACCEPTED + bytes([0x80 | CLOSE, len(closing)]) + closing)
        _, said = caller.communicate("go\n", PATIENCE)

    assert caller.returncode == 1
    assert said == f"call bench-0000: the server closed it: 1013 {WHY.decode()}\n"


FAILING = """
import sys
print("connected", flush=True)
sys.stdin.readline()
sys.exit("call bench-0000: it was over")
"""


def test_callers_that_fail_while_they_speak_are_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def served(*_: object) -> dict[str, float]:
        pipe, asked = subprocess.PIPE, [sys.executable, "-c", FAILING]
        with subprocess.Popen(
            asked, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        ) as caller:
            echo._begin(caller)
            echo._let_speak(caller, PATIENCE)
        return {}

    monkeypatch.setattr(echo, "served", served)
    monkeypatch.setattr(sys, "argv", ["echo"])

    assert echo.main() == 1

    said = "the callers failed: call bench-0000: it was over\n"
    assert capsys.readouterr().err == said
