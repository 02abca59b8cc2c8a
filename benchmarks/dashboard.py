"""What the live dashboard costs the web process at 1,000 live calls.

    python -m benchmarks.scratch benchmarks.dashboard [--calls 1000] [--profile]

The calls are rows, each with two tracks or four, and ingest processes' snapshots of
them lie in Redis: see `benchmarks.crowd`. What is measured is one picture, which the
feed takes once a second for all browsers together, and what one browser with a full
screen of compact rows is sent of it.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import sys
import time
import zlib

import django

django.setup()

from benchmarks.crowd import Crowd  # noqa: E402 after setup
from calls.board.view import View  # noqa: E402 after setup
from streaming.board_feed import Source  # noqa: E402 after setup
from streaming.dashboard import DashboardConsumer  # noqa: E402 after setup

ROUNDS = 20
# A window of 1,100 pixels shows 33 compact rows, and six are kept around them.
ROWS = 45
# The trend comes with every tenth snapshot.
TREND_EVERY = 10


def main() -> int:
    """Print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="where it goes")
    options = parser.parse_args()
    crowd = Crowd(options.calls)
    # It must not grow old while it is read.
    crowd.publish(fresh_for=3600)
    crowd.publish_hour()
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    figures = asyncio.run(snapshots(options.calls))
    if options.profile:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


async def snapshots(calls: int) -> dict[str, float]:
    """Return what a snapshot costs, the median of some."""
    source, viewer = Source(), DashboardConsumer()
    view = View(count=ROWS)
    cpu, wall, sizes, texts = [], [], [], []
    seen = 0.0
    try:
        for _ in range(ROUNDS + 1):
            began, spent = time.monotonic(), time.process_time()
            picture = await source.picture([view])
            taken = time.process_time()
            texts.append(viewer.seen(picture, view))
            seen = time.process_time() - taken
            cpu.append(time.process_time() - spent)
            wall.append(time.monotonic() - began)
            sizes.append(len(texts[-1].encode()))
            if picture.facts.live != calls:
                raise AssertionError("the picture does not hold every call")
    finally:
        await source.close()
    # The first one opens connections, and carries the trend.
    middle = statistics.median(cpu[1:])
    trend = (sizes[0] - sizes[1]) / TREND_EVERY
    return {
        "live calls": calls,
        "CPU of a snapshot, ms": middle * 1e3,
        "of it for one more viewer, ms": seen * 1e3,
        "time to a snapshot, ms": statistics.median(wall[1:]) * 1e3,
        "share of a core at one a second, %": middle * 100,
        "rows on screen": ROWS,
        "bytes a browser is sent": statistics.median(sizes[1:]) + trend,
        "the same, deflated": len(zlib.compress(texts[-1].encode(), 6)),
    }


if __name__ == "__main__":
    sys.exit(main())
