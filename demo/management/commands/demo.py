"""`manage.py demo`: the whole system on this machine, against the emulator."""

import logging
import os
import socket
import sys
from argparse import SUPPRESS, ArgumentTypeError
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo.environment import (
    DemoError,
    choose_ports,
    environment,
    fresh_folder,
    hold,
    listen,
)
from emulator.speech import AudioError, load

LEAST_SECONDS = 8
WRONG_OPTIONS = 2


class Command(BaseCommand):
    """Prepares a folder, ports and an environment, and runs itself again in them.

    Django reads its settings once, when it starts: the second run of this command has
    the demo's settings, and can use the database as the other parts do.
    """

    help = (
        "Run the whole system on this machine, against an emulated Azure Communication"
        " Services: console, ingest, worker, beat, Redis. It rings calls, records"
        " them, and then compares every packet and every hash with what was sent."
        " On a terminal the console stays up until Ctrl-C; otherwise the exit code"
        " says whether everything was stored (0) or not (1). Nothing of your own"
        " settings, database or Redis is used or touched."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="end after the verification, on a terminal too",
        )
        parser.add_argument(
            "--calls",
            type=_calls,
            default=10,
            metavar="N",
            help="calls to ring; there are ten kinds, which repeat (default: 10)",
        )
        parser.add_argument(
            "--seconds",
            type=_seconds,
            default=40,
            metavar="S",
            help=f"length of each call, at least {LEAST_SECONDS} (default: 40)",
        )
        parser.add_argument(
            "--audio",
            type=Path,
            metavar="DIR",
            help="folder of WAV or FLAC files to speak, one per speaker, instead of"
            " the built-in conversation",
        )
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write the verdict as JSON"
        )
        parser.add_argument(
            "--data",
            type=Path,
            metavar="DIR",
            help="empty folder for everything that is kept (default: a new one in"
            " var/demo, where the last three stay)",
        )
        parser.add_argument(
            "--port",
            type=_port,
            metavar="P",
            help="port of the console, 0 for any (default: 8000, or any if taken)",
        )
        # For the second run: its folder, and the console's listening socket.
        parser.add_argument("--inside", type=Path, help=SUPPRESS)
        parser.add_argument("--listening", type=int, help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["inside"] is not None:
            sys.exit(_conduct(options))
        try:
            _check(options)
            with closing(listen(options["port"])) as console:
                self._begin(console, options)
        except (DemoError, AudioError) as exc:
            raise CommandError(str(exc), returncode=WRONG_OPTIONS) from exc

    def _begin(self, console: socket.socket, options: dict[str, Any]) -> None:
        """Become the second run. Raises `DemoError`, or does not return."""
        folder = fresh_folder(options["data"], datetime.now(UTC))
        ports = choose_ports(console.getsockname()[1])
        self.stdout.write(f"acsstream demo in {os.path.relpath(folder)}")
        self.stdout.flush()
        console.set_inheritable(True)
        argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo"]
        argv += [f"--inside={folder}", f"--listening={console.fileno()}"]
        argv += [f"--calls={options['calls']}", f"--seconds={options['seconds']}"]
        if options["once"]:
            argv.append("--once")
        if options["report"]:
            argv.append(f"--report={options['report'].resolve()}")
        # The same process: signals, terminal and exit code stay those of the caller.
        os.execve(argv[0], argv, environment(folder, ports, options["audio"]))  # noqa: S606 ourselves


def _calls(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise ArgumentTypeError("must be a whole number, 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not LEAST_SECONDS <= seconds < float("inf"):
        raise ArgumentTypeError(f"must be a number, {LEAST_SECONDS} or more")
    return seconds


def _check(options: dict[str, Any]) -> None:
    """Raise over what would only fail after minutes."""
    if options["audio"] is not None:
        load(options["audio"])
    report: Path | None = options["report"]
    if report is not None:
        if report.is_dir() or not report.parent.is_dir():
            raise DemoError(f"--report: {report} is no file that can be written.")
        try:
            report.open("a").close()
        except OSError as exc:
            raise DemoError(f"--report: {report}: {exc.strerror}") from exc


def _conduct(options: dict[str, Any]) -> int:
    from demo.conductor import Conductor, Plan
    from demo.table import Screen

    plan = Plan(
        folder=options["inside"],
        listening=options["listening"],
        calls=options["calls"],
        seconds=options["seconds"],
        once=options["once"],
        report=options["report"],
    )
    _log_to(plan.folder / "logs" / "demo.log")
    with hold(plan.folder) or nullcontext():
        return Conductor(plan, Screen()).run()


def _log_to(path: Path) -> None:
    """Keep log lines out of the table on the screen."""
    root = logging.getLogger()
    file = logging.FileHandler(path)
    for handler in root.handlers:
        file.setFormatter(handler.formatter)
    root.handlers[:] = [file]
