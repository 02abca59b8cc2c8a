"""Servers side by side under the same load, in one run.

    python -m benchmarks.load --servers floor,sample,ours --streams 300 --seconds 8

Each measurement starts its server anew, on one core, and the load on another. With
`--repeat 3` the servers take turns, and ratios are of the medians.
"""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks.machine import cores, facts
from benchmarks.measure import Figures, Plan, measure
from benchmarks.servers.house import SERVERS
from benchmarks.table import ratio_lines, ratios, table

WARM_UP = 3.0
FLOOD_STREAMS = 20
FLOOD_SECONDS = 5.0


def main() -> int:
    """Measure what is asked for; print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--servers", default="floor,sample,ours", help=", ".join(SERVERS)
    )
    parser.add_argument("--streams", default="300", help="such as 100,300,flood")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=WARM_UP)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [
        measured(name, plan_of(load, options.seconds, options.warm_up))
        for load in options.streams.split(",")
        for _ in range(options.repeat)
        for name in options.servers.split(",")
    ]
    if options.json:
        rows = [asdict(one) for one in found]
        sys.stdout.write(json.dumps({"machine": facts(), "rows": rows}, indent=2))
        sys.stdout.write("\n")
    else:
        sys.stdout.write(table(found) + ratio_lines(ratios(found)))
    return 0


def plan_of(load: str, seconds: float, warm_up: float) -> Plan:
    """Return the plan of a load's name: a number of streams, or `flood`.

    A flood is many gigabytes: it is kept shorter.
    """
    if load == "flood":
        return Plan(FLOOD_STREAMS, min(seconds, FLOOD_SECONDS), warm_up / 2, flood=True)
    return Plan(int(load), seconds, warm_up)


def measured(name: str, plan: Plan) -> Figures:
    """Measure one server, with a line of progress on standard error."""
    sys.stderr.write(f"{plan.name:>11}  {name} … ")
    sys.stderr.flush()
    figures = measure(SERVERS[name], plan, cores())
    sys.stderr.write(f"{figures.cpu_us:.1f} µs per packet\n")
    return figures


if __name__ == "__main__":
    sys.exit(main())
