"""`python -m emulator`: listen until told to stop."""

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import signal
import sys
from typing import Any

from emulator.auth import decode_key
from emulator.faults import Faults
from emulator.options import Behaviour, OptionError, Options, Settings
from emulator.server import Emulator, ListenError
from emulator.speech import AudioError, load

logger = logging.getLogger(__name__)

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
EPILOG = """\
Every option can also be given as an environment variable: ACSEMU_ and the option's name
in capitals, as in ACSEMU_EVENTGRID_URL. Exit codes: 0 stopped by a signal, 2 wrong
options or audio, 3 with --strict: the app sent something malformed.
The control API and the meaning of everything: emulator/README.md.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line: one option per field of the settings and behaviours."""
    made = argparse.ArgumentParser(
        prog="python -m emulator",
        description="A stand-in for Azure Communication Services Call Automation.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", action="store_true", help="first line as JSON")
    made.add_argument(
        "--log-level",
        default=os.environ.get("ACSEMU_LOG_LEVEL", "INFO"),
        metavar="|".join(LOG_LEVELS),
        help="of the log on standard error (default: INFO)",
    )
    _add(made.add_argument_group("settings"), Settings)
    about = "where the real service's behaviour is not confirmed; also per call"
    _add(made.add_argument_group("behaviours", about), Behaviour)
    return made


def _add(group: "argparse._ArgumentGroup", options: type[Options]) -> None:
    for each in dataclasses.fields(options):
        metadata, default = each.metadata, each.default
        shown = "|".join(str(choice) for choice in metadata["choices"])
        # A switch can be given without a value: --strict is --strict on.
        switch: dict[str, Any] = {}
        if isinstance(default, bool):
            shown, default = "on|off", "on" if default else "off"
            switch = {"nargs": "?", "const": "on"}
        about = metadata["about"].replace("%", "%%")
        if default != "" and each.name != "access_key":
            about += f" (default: {default})"
        group.add_argument(
            "--" + each.name.replace("_", "-"),
            dest=each.name,
            metavar=shown or type(default).__name__.upper(),
            help=about,
            **switch,
        )


def _given(options: type[Options], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what was given on the command line or in the environment."""
    given = {}
    for each in dataclasses.fields(options):
        value = arguments[each.name]
        if value is None:
            value = os.environ.get("ACSEMU_" + each.name.upper())
        if value is not None:
            given[each.name] = value
    return given


async def serve(emulator: Emulator, *, as_json: bool, settings: Settings) -> int:
    """Listen until SIGINT or SIGTERM; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with emulator:
        facts = {
            "url": emulator.url,
            "access_key": settings.access_key,
            "resource_id": settings.resource_id,
            "speed": settings.speed,
            "pid": os.getpid(),
        }
        line = (
            json.dumps(facts) if as_json else f"emulator: listening on {emulator.url}"
        )
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        await stop.wait()
    lint = False
    for call in emulator.switchboard.calls.values():
        if call.outbound is not None and call.outbound.lint:
            lint = True
            logger.warning("call %s: lint: %s", call.call_id, dict(call.outbound.lint))
    return 3 if settings.strict and lint else 0


def main() -> int:
    """Run the emulator; return the exit code."""
    arguments = vars(parser().parse_args())
    try:
        settings = Settings.parse(_given(Settings, arguments))
        behaviour = Behaviour.parse(_given(Behaviour, arguments))
        Faults.parse_text(settings.faults)
        decode_key(settings.access_key)
        if arguments["log_level"] not in LOG_LEVELS:
            raise OptionError(f"log_level: must be one of {LOG_LEVELS}")
        speech = load(settings.audio_folder)
    except (OptionError, AudioError, ValueError) as exc:
        sys.stderr.write(f"emulator: {exc}\n")
        return 2
    logging.basicConfig(
        level=arguments["log_level"],
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        logger.warning("not only this machine can reach the unprotected control API")
    emulator = Emulator(settings, behaviour, speech)
    try:
        return asyncio.run(
            serve(emulator, as_json=arguments["json"], settings=settings)
        )
    except ListenError as exc:
        sys.stderr.write(f"emulator: cannot listen: {exc}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
