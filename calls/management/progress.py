"""How far a command is, for whoever waits for it."""

import sys


class Progress:
    """Says on a terminal how far it is, in one line; elsewhere nothing."""

    def __init__(self, total: int, what: str) -> None:
        self.total = total
        self.what = what
        self.is_shown = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        """Say how many are done."""
        self._write(f"\r{done} of {self.total} {self.what}")

    def clear(self) -> None:
        """Leave the line to others."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self.is_shown:
            sys.stderr.write(text)
            sys.stderr.flush()
