"""When files grew, seen from outside."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

LOOK_SECONDS = 0.002


class Watch:
    """When files were seen to have grown, looked at from outside every 2 ms."""

    def __init__(self, paths: dict[int, Path]) -> None:
        self.paths = paths
        self.sizes: dict[int, list[tuple[int, int]]] = {key: [] for key in paths}
        self._files = {key: path.open("rb") for key, path in paths.items()}

    def until(self, end: float, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Watch until a moment of the monotonic clock, or as long as that says."""
        while time.monotonic() < end and goes_on():
            for key, file in self._files.items():
                size, seen = os.fstat(file.fileno()).st_size, self.sizes[key]
                if not seen or seen[-1][1] != size:
                    seen.append((time.monotonic_ns(), size))
            time.sleep(LOOK_SECONDS)

    def seen(self, key: int, ends: Iterable[int]) -> list[int]:
        """Return when the file was first seen to reach each size; ns, monotonic.

        Sizes must ascend. One that was never seen, and what follows, is left out.
        """
        looks = iter(self.sizes[key])
        found: list[int] = []
        at, size = 0, -1
        for end in ends:
            while size < end:
                look = next(looks, None)
                if look is None:
                    return found
                at, size = look
            found.append(at)
        return found

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()
