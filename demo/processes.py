"""The parts of the demo as real processes: started, watched, and always ended.

Each part has a session of its own, so Ctrl-C on the terminal reaches the demo alone,
which then ends the parts in order. A part's whole process group is ended with it:
Celery's pool dies with its worker. On Linux the kernel tells the parts when the demo
itself is killed; elsewhere `kill -9` on it leaves them running.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

POLL_SECONDS = 0.1
SHOWN_LINES = 12
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A part that ends more often than this is not going to stay.
MOST_RESTARTS = 5
# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1


class PartFailedError(Exception):
    """A part did not start, or ended by itself. Names it and quotes its log."""


class StopAsked(Exception):  # noqa: N818 no error: Ctrl-C or SIGTERM came
    """The demo was told to end by a signal."""


@dataclass(frozen=True, slots=True)
class Part:
    """A process of the system.

    `is_ready` is asked until it says yes or `patience` seconds are over. Told to end by
    SIGTERM, the part has `stop_seconds` before it is killed. A part that `is_restarted`
    is started again if it ends by itself, as an installation's supervisor would.
    `sockets` are file descriptors that it inherits.
    """

    name: str
    argv: Sequence[str]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str]
    is_restarted: bool = False
    sockets: tuple[int, ...] = ()
    patience: float = 120.0
    stop_seconds: float = 10.0


@dataclass(slots=True)
class _Running:
    part: Part
    process: "subprocess.Popen[bytes]"
    restarts: int = 0


class System:
    """The running parts, in waves: a later wave needs those before it.

    Use it as a context manager from the main thread: signals to end are turned into
    `StopAsked` at the next `pause`, and on leaving nothing is left running. A second
    signal kills what is still ending.
    """

    def __init__(
        self, logs: Path, folder: Path, *, notice: Callable[[str], object]
    ) -> None:
        """Write each part's output to `logs`; run the parts in `folder`.

        `notice` is told in words when a part is started again.
        """
        self.logs = logs
        self.folder = folder
        self.stopped_by: int | None = None
        self._notice = notice
        self._waves: list[list[_Running]] = []
        self._handlers: dict[int, Any] = {}
        self._leash = leash()

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            self._handlers[number] = signal.signal(number, self._told)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _told(self, number: int, _: FrameType | None) -> None:
        if self.stopped_by is not None:
            for running in self._all():
                _kill_group(running.process)
        self.stopped_by = number

    def start(self, *parts: Part) -> None:
        """Start a wave of parts and wait until every one is ready.

        Raises `PartFailedError` if one is not ready in time, and as `pause` does.
        """
        wave: list[_Running] = []
        self._waves.append(wave)
        for part in parts:
            process = self._spawn(part)
            wave.append(_Running(part, process))
        started = time.monotonic()
        waiting = list(parts)
        while waiting:
            waiting = [part for part in waiting if not part.is_ready()]
            for part in waiting:
                if time.monotonic() - started > part.patience:
                    raise self.failure(
                        part.name, f"is not ready after {part.patience:g} s"
                    )
            self._breathe(restarting=False)

    def _spawn(self, part: Part) -> "subprocess.Popen[bytes]":
        with self.log(part.name).open("ab") as log:
            try:
                return subprocess.Popen(  # noqa: S603 our own list of programs
                    list(part.argv),
                    cwd=self.folder,
                    env=dict(part.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=part.sockets,
                    preexec_fn=self._leash,
                )
            except OSError as exc:
                raise PartFailedError(f"{part.name} cannot be started: {exc}") from exc

    def pause(self, seconds: float) -> None:
        """Wait, and start again what ended by itself and may be.

        Raises `StopAsked` on a signal, `PartFailedError` over a part that may not, or
        that does not stay.
        """
        end = time.monotonic() + seconds
        self._breathe(restarting=True)
        while time.monotonic() < end:
            self._breathe(restarting=True)

    def _breathe(self, *, restarting: bool) -> None:
        time.sleep(POLL_SECONDS)
        if self.stopped_by is not None:
            raise StopAsked
        for running in self._all():
            code = running.process.poll()
            if code is not None:
                self._ended(running, code, restarting=restarting)

    def _ended(self, running: _Running, code: int, *, restarting: bool) -> None:
        part = running.part
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        may_restart = part.is_restarted and running.restarts < MOST_RESTARTS
        if not (restarting and may_restart):
            raise self.failure(part.name, how)
        _kill_group(running.process)
        running.process = self._spawn(part)
        running.restarts += 1
        self._notice(f"{part.name} {how} and was started again")

    def _all(self) -> list[_Running]:
        return [running for wave in self._waves for running in wave]

    def log(self, name: str) -> Path:
        """Return the file with a part's output."""
        return self.logs / f"{name}.log"

    def failure(self, name: str, how: str) -> PartFailedError:
        """Return the error that says how a part failed and what its log says."""
        text = self.log(name).read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines()[-SHOWN_LINES:] or ["(nothing was written to it)"]
        quoted = "\n".join(f"    {line}" for line in lines)
        where = f"Its log is {self.log(name)}. The last lines:"
        return PartFailedError(f"{name} {how}.\n{where}\n{quoted}")

    def stop(self) -> None:
        """End every part, the last wave first; kill those that take too long."""
        while self._waves:
            wave = self._waves[-1]
            for running in wave:
                running.process.terminate()
            began = time.monotonic()
            for running in wave:
                left = began + running.part.stop_seconds - time.monotonic()
                with suppress(subprocess.TimeoutExpired):
                    running.process.wait(max(left, 0))
                # Whatever else is in its group: the pool of a worker that died.
                _kill_group(running.process)
                running.process.wait()
            self._waves.pop()


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    # PermissionError: on macOS, a group of which only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def leash() -> Callable[[], None] | None:
    """Return what a child runs first so that it ends when we die; None: not here.

    It gets SIGTERM when the thread that started it ends, however that ends.
    """
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def hold() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # We died before the kernel was asked.
            os._exit(1)

    return hold
