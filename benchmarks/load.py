"""Servers side by side under the same load, in one run.

    python -m benchmarks.load --servers floor,seed,ours --streams 300 --seconds 8

Each measurement starts its server anew, on one core, and the load on another. With
`--repeat 3` the servers take turns, and ratios are of the medians.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from benchmarks.machine import cores, facts
from benchmarks.measure import Figures, Plan, Spread, measure
from benchmarks.servers.house import SERVERS

WARM_UP = 3.0
FLOOD_STREAMS = 20


def main() -> int:
    """Measure what is asked for; print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--servers", default="floor,seed,ours")
    parser.add_argument("--streams", default="300", help="such as 100,300,flood")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=WARM_UP)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    for load in options.streams.split(","):
        for _ in range(options.repeat):
            for name in options.servers.split(","):
                plan = plan_of(load, options.seconds, options.warm_up)
                found.append(measured(name, plan))
    if options.json:
        rows = [asdict(one) for one in found]
        sys.stdout.write(json.dumps({"machine": facts(), "rows": rows}, indent=2))
        sys.stdout.write("\n")
    else:
        sys.stdout.write(table(found) + ratios(found))
    return 0


def plan_of(load: str, seconds: float, warm_up: float) -> Plan:
    """Return the plan of a load's name: a number of streams, or `flood`."""
    if load == "flood":
        return Plan(FLOOD_STREAMS, seconds, warm_up, flood=True)
    return Plan(int(load), seconds, warm_up)


def measured(name: str, plan: Plan) -> Figures:
    """Measure one server, with a line of progress on standard error."""
    sys.stderr.write(f"{name}, {plan.name} … ")
    sys.stderr.flush()
    figures = measure(SERVERS[name], plan, cores())
    sys.stderr.write(f"{figures.cpu_us:.1f} µs per packet\n")
    return figures


HEADINGS = (
    f"{'load':<10} {'server':<24} {'µs/packet':>9} {'core %':>6} {'packets/s':>9}"
    f" {'sent':>9} {'stored':>9} {'to disk, ms p50/p95/p99':>24}"
    f" {'loop lag, ms p50/p99':>20} {'kB/stream':>9}  remarks\n"
)


def table(found: Iterable[Figures]) -> str:
    """Return one line for each measurement."""
    return HEADINGS + "".join(map(_line, found))


def _line(one: Figures) -> str:
    stored = "–" if one.stored is None else f"{one.stored:,}"
    return (
        f"{one.load:<10} {one.label:<24} {one.cpu_us:>9.1f} {one.cpu_share:>6.0%}"
        f" {one.packets_per_second:>9,.0f} {one.sent:>9,} {stored:>9}"
        f" {_three(one.to_disk_ms):>24} {_two(one.loop_lag_ms):>20}"
        f" {one.rss_kb_per_stream:>9.1f}  {'; '.join(remarks(one))}\n"
    )


def remarks(one: Figures) -> list[str]:
    """Return what a reader must know before believing the row."""
    said = []
    if not one.is_trustworthy:
        said.append(
            f"NOT TRUSTWORTHY: the load was late in {one.late_share:.1%} of packets,"
            f" worst {one.worst_late_ms:.0f} ms"
        )
    if one.is_complete is False:
        said.append("INCOMPLETE")
    if one.lost_sockets:
        said.append(f"{one.lost_sockets} sockets lost")
    return said + list(one.faults)


def _three(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.p50:.0f} / {spread.p95:.0f} / {spread.p99:.0f}"


def _two(spread: Spread | None) -> str:
    return "–" if spread is None else f"{spread.p50:.1f} / {spread.p99:.1f}"


def ratios(found: Sequence[Figures]) -> str:
    """Return ours against floor and sample for each load, medians and spread."""
    lines = []
    for load in dict.fromkeys(one.load for one in found):
        costs = {
            name: [
                one.cpu_us for one in found if (one.server, one.load) == (name, load)
            ]
            for name in SERVERS
        }
        for ours, other in (("ours", "floor"), ("ours", "seed")):
            if costs[ours] and costs[other]:
                middle = statistics.median(costs[ours]) / statistics.median(
                    costs[other]
                )
                each = [a / b for a, b in zip(costs[ours], costs[other], strict=False)]
                lines.append(
                    f"{load}: {ours} ÷ {other} = {middle:.2f}"
                    f" ({min(each):.2f} to {max(each):.2f} in {len(each)} turns)\n"
                )
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
