"""`manage.py demo` on a terminal of its own, for tests and screenshots."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Without these flags Chromium calls home, which a closed network answers slowly.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass
class Demo:
    """`manage.py demo` on a terminal of its own, and what it prints."""

    process: "subprocess.Popen[bytes]"
    terminal: int
    folder: Path
    printed: str = ""
    # Nothing more will be.
    is_over: bool = False
    _grown: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        """Collect what is printed until the terminal is closed."""
        while True:
            try:
                text = os.read(self.terminal, 65_536).decode(errors="replace")
            except OSError:
                break
            with self._grown:
                self.printed += text
                self._grown.notify_all()
        with self._grown:
            self.is_over = True
            self._grown.notify_all()

    def await_line(self, pattern: str, patience: float) -> "re.Match[str]":
        """Return the first match of `pattern` in what is printed."""
        end = time.monotonic() + patience
        with self._grown:
            while not (found := re.search(pattern, self.printed)):
                left = end - time.monotonic()
                shown = f"no {pattern!r} in:\n{self.printed[-4000:]}"
                assert left > 0, shown
                assert not self.is_over, shown
                self._grown.wait(min(left, 1))
        return found

    def console(self) -> str:
        """Return the console's address, once it is up."""
        return self.await_line(r"(http://127\.0\.0\.1:\d+)/admin/", 180).group(1)

    def emulator(self) -> str:
        """Return the address of the emulator: it is in the demo's environment."""
        environment = Path(f"/proc/{self.process.pid}/environ").read_text("utf-8")
        named = dict(each.split("=", 1) for each in environment.split("\0") if each)
        return named["ACSSTREAM_ACS_ENDPOINT"]

    def operator(self) -> tuple[str, str]:
        """Return the name and password that the demo made for the console."""
        signed = self.await_line(r"sign in as (\w+), password ([\w-]+)", 180)
        return signed.group(1), signed.group(2)


@contextmanager
def demo_on_terminal(folder: Path, *options: str) -> Iterator[Demo]:
    """Run the demo with its data in `folder`; end it with Ctrl-C's signal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--data", str(folder), *options],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={
            name: value
            for name, value in os.environ.items()
            if name != "DJANGO_SETTINGS_MODULE"
        },
    )
    os.close(theirs)
    running = Demo(process, ours, folder)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)
        reader.join(5)
        os.close(ours)
