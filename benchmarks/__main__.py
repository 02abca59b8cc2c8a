"""`make bench`: what receiving, finishing and watching cost, beside what others cost.

Absolute figures belong to the machine and its mood: compare the ratios of one run.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks import receiving
from benchmarks.bar import Promise, promises
from benchmarks.load import WARM_UP, measured, plan_of
from benchmarks.machine import cores, facts
from benchmarks.measure import Figures
from benchmarks.scratch import figures_of, scratch_house
from benchmarks.servers.house import ROOT, SERVERS
from benchmarks.table import Ratio, listed, ratio_lines, ratios, table

FOLDER = ROOT / "docs" / "benchmarks"
PARTS = ("load", "steps", "finishing", "dashboard")
# The three that the bar is about, and what is there to compare them with.
MAIN = ("floor", "sample", "ours")
SERVERS_AT = {
    "100": MAIN,
    "300": (*MAIN, "sample-file", "ours-sansio"),
    "600": (*MAIN, "sample-file"),
    "flood": (*MAIN, "sample-file", "ours-sansio"),
}
# It holds a few dozen streams: the last of these is to show what then happens.
ROWS_AT = ("10", "20", "100")
TURNS = 3


@dataclass(slots=True)
class Results:
    """One run."""

    machine: dict[str, Any] = field(default_factory=facts)
    rows: list[Figures] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    finishing: dict[str, float] = field(default_factory=dict)
    dashboard: dict[str, float] = field(default_factory=dict)

    def promises(self) -> list[Promise]:
        """Return what of the bar was kept."""
        return promises(self.rows, self.ratios, self.finishing, self.dashboard)

    def document(self) -> dict[str, Any]:
        """Return everything for machines."""
        said = [
            asdict(one) | {"is_kept": one.is_kept}
            for one in self.promises()
            if one.measured is not None
        ]
        return asdict(self) | {"bar": said}

    def text(self) -> str:
        """Return everything for people."""
        parts = []
        if self.rows:
            parts += [table(self.rows), ratio_lines(self.ratios)]
        for title in PARTS[1:]:
            if figures := getattr(self, title):
                parts.append(listed(title, figures))
        kept = "".join(one.line() for one in self.promises())
        return "\n".join([*parts, f"the bar\n{kept}"])


def main() -> int:
    """Run what is asked for; print it, and keep it in docs/benchmarks."""
    options = _options()
    results = Results()
    if "load" in options.parts:
        for load, name in _measurements(options):
            plan = plan_of(load, options.seconds, options.warm_up)
            results.rows.append(measured(name, plan))
        results.ratios = ratios(results.rows)
    if "steps" in options.parts:
        results.steps = receiving.measure()
    with scratch_house() as house:
        core = cores()[0]
        if "finishing" in options.parts:
            minutes = ["--minutes", "2" if options.quick else "10"]
            results.finishing = figures_of(
                "benchmarks.finishing", house, core, *minutes
            )
        if "dashboard" in options.parts:
            results.dashboard = figures_of("benchmarks.dashboard", house, core)
    document = json.dumps(results.document(), indent=1) + "\n"
    sys.stdout.write(document if options.json else results.text())
    if not options.no_write:
        _keep(document)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a minute, and figures to match")
    add("--streams", help="loads, such as 100,300,600,flood")
    add("--servers", help=f"which: {', '.join(SERVERS)}")
    add("--seconds", type=float, help="the window measured (default 10)")
    add("--turns", type=int, help="how often each is measured (default 3 at 300)")
    add("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    add("--json", action="store_true", help="print one JSON object")
    add("--no-write", action="store_true", help="leave docs/benchmarks as it is")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    options.servers = options.servers.split(",") if options.servers else None
    if unknown := set(options.servers or ()) - set(SERVERS):
        parser.error(f"no server is called {', '.join(sorted(unknown))}")
    options.seconds = options.seconds or (3.0 if options.quick else 10.0)
    options.warm_up = 1.0 if options.quick else WARM_UP
    return options


def _measurements(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield what is measured, in order. Servers take turns: noise hits all alike."""
    loads = "300" if options.quick else ",".join(SERVERS_AT)
    for load in (options.streams or loads).split(","):
        chosen = options.servers or (
            MAIN if options.quick else SERVERS_AT.get(load, MAIN)
        )
        turns = options.turns or (TURNS if load == "300" and not options.quick else 1)
        for turn in range(turns):
            for name in chosen:
                # Only the three of the bar are worth more than one turn.
                if turn == 0 or name in MAIN or options.turns:
                    yield load, name
    if not (options.quick or options.streams or options.servers):
        yield from ((load, "rows") for load in ROWS_AT)


def _keep(document: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "latest.json").write_text(document, encoding="utf-8")
    try:
        from benchmarks.plot import draw
    except ImportError:
        sys.stderr.write("no matplotlib here: latest.png stays as it was\n")
        return
    draw(json.loads(document), FOLDER / "latest.png")


if __name__ == "__main__":
    sys.exit(main())
