"""`python -m emulator.realtime`: listen until told to stop."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from emulator.realtime.plan import Plan, PlanError
from emulator.realtime.server import RealtimeServer

EPILOG = """\
The API is at /v1/realtime and at /openai/v1/realtime. GET /emulator/realtime says what
the service was told; PUT /emulator/realtime/plan takes a new plan. A plan is JSON:
{"turns": [{"say": "…", "hears": "…", "tool": "hang_up", "arguments": "{}",
"first_ms": 100, "pace": 20, "fault": "disconnect", "fault_ms": 900,
"claim_speech_ms": 3000}], "refuse": [429], "retry_after": 1}. Every member may be left
out. Faults: disconnect, error, rate_limit, malformed, silent. See docs/realtime.md.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m emulator.realtime",
        description="A stand-in for a service of the OpenAI Realtime protocol.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    made.add_argument("--port", type=int, default=0, help="default: any that is free")
    made.add_argument("--key", default="", help="take only sockets that bring this key")
    made.add_argument("--plan", type=Path, metavar="FILE", help="what is answered")
    made.add_argument("--json", action="store_true", help="first line as JSON")
    return made


async def serve(server: RealtimeServer, *, as_json: bool) -> None:
    """Listen until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        facts = {"url": server.url, "api": f"{server.url}/v1", "pid": os.getpid()}
        line = f"emulator.realtime: listening on {server.url}"
        sys.stdout.write((json.dumps(facts) if as_json else line) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> int:
    """Run the service; return the exit code: 0 stopped by a signal, 2 cannot start."""
    told = parser().parse_args()
    logging.basicConfig(level="INFO", stream=sys.stderr)
    try:
        plan = Plan.parse(told.plan.read_text("utf-8")) if told.plan else Plan()
        server = RealtimeServer(host=told.host, port=told.port, key=told.key, plan=plan)
        asyncio.run(serve(server, as_json=told.json))
    except (PlanError, OSError) as exc:
        sys.stderr.write(f"emulator.realtime: {exc}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
