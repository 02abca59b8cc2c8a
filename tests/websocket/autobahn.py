"""The Autobahn test suite against our WebSocket class: `make autobahn`.

Its fuzzing client plays every case against an echo behind each class; a table says how
they did. Exit status 1 if a case of ours failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.websocket.dialects import DIALECTS, SANSIO
from tests.websocket.server import Log, Server

WSTEST = Path(".venv/autobahn/bin/wstest")
# Its largest message: cases 9.*.
MAX_SIZE = 16 * 1024 * 1024
# 12 and 13 are permessage-deflate, which ingest does not speak; 9 measures speed.
LEFT_OUT = ["12.*", "13.*"]
SLOW = ["9.*"]
CHAPTERS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragmentation",
    6: "UTF-8",
    7: "closing",
    9: "limits and speed",
    10: "automatic fragmentation",
}
# A case's two verdicts: on what was said, and on how the connection was closed. Not
# strict: allowed, but later than Autobahn would like (invalid UTF-8 is refused when its
# message ends). Informational: either way is right.
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}
Outcomes = dict[str, dict[str, dict[str, Any]]]


def play(wstest: Path, folder: Path, left_out: Sequence[str]) -> Outcomes:
    """Run the fuzzing client against every class; return its index of outcomes."""
    servers = [
        Server(dialect, ws_max_size=MAX_SIZE).start() for dialect in DIALECTS.values()
    ]
    spec = folder / "spec.json"
    document = {
        "outdir": str(folder / "reports"),
        "servers": [
            {"agent": server.dialect.name, "url": f"ws://127.0.0.1:{server.port}"}
            for server in servers
        ],
        "cases": ["*"],
        "exclude-cases": list(left_out),
        "exclude-agent-cases": {},
    }
    spec.write_text(json.dumps(document))
    try:
        with Log() as said, (folder / "log").open("wb") as log:
            subprocess.run(
                [wstest.absolute(), "-m", "fuzzingclient", "-s", spec],
                check=True,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
    except subprocess.CalledProcessError:
        sys.exit((folder / "log").read_text())
    finally:
        for server in servers:
            server.end()
    (folder / "server.log").write_text("\n".join(said.lines))
    found: Outcomes = json.loads((folder / "reports" / "index.json").read_text())
    return found


def verdict(outcome: dict[str, Any]) -> str:
    """Return the worse of a case's two verdicts."""
    said, ended = outcome["behavior"], outcome["behaviorClose"]
    return str(ended if said in PASSED and ended not in PASSED else said)


def table(cases: dict[str, dict[str, Any]]) -> list[str]:
    """Return the lines of a table: each chapter, and how many cases ended how."""
    chapters: dict[int, Counter[str]] = {}
    for case, outcome in cases.items():
        chapter = chapters.setdefault(int(case.split(".")[0]), Counter())
        chapter[verdict(outcome)] += 1
    lines = []
    for number in sorted(chapters):
        counts = chapters[number]
        told = ", ".join(f"{count} {name.lower()}" for name, count in counts.items())
        lines.append(f"  {number:>2}  {CHAPTERS.get(number, ''):<24}  {told}")
    return lines


def order(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def main(arguments: Sequence[str]) -> int:
    """Play the suite and print what came of it; return the exit status."""
    parser = argparse.ArgumentParser(prog="make autobahn", description=__doc__)
    parser.add_argument("--wstest", type=Path, default=WSTEST, help="its program")
    parser.add_argument("--slow", action="store_true", help="play cases 9.* too")
    parser.add_argument("--report", type=Path, help="keep its reports in this folder")
    asked = parser.parse_args(arguments)
    left_out = LEFT_OUT if asked.slow else LEFT_OUT + SLOW
    with tempfile.TemporaryDirectory(prefix="acsstream-autobahn-") as name:
        folder = (asked.report or Path(name)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        found = play(asked.wstest, folder, left_out)
    failures = 0
    for agent, cases in found.items():
        failed = [case for case in cases if verdict(cases[case]) not in PASSED]
        # uvicorn's own class is there to compare with.
        failures += len(failed) if agent != SANSIO.name else 0
        lines = [
            f"{agent}: {len(cases) - len(failed)} of {len(cases)} cases passed",
            *table(cases),
            *(f"  FAILED {case}: {cases[case]}" for case in sorted(failed, key=order)),
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
