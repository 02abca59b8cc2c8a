"""What the project promises about its cost, and whether this run kept it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measure import Figures
from benchmarks.table import Ratio

LOAD = "300 paced"


@dataclass(frozen=True, slots=True)
class Promise:
    """One figure and its limit. `measured` None: not part of this run."""

    name: str
    measured: float | None
    limit: float
    # Finishing is a speed: more is better.
    is_least: bool = False

    @property
    def is_kept(self) -> bool | None:
        """Say if it is; None if it was not measured."""
        if self.measured is None:
            return None
        if self.is_least:
            return self.measured >= self.limit
        return self.measured <= self.limit

    def line(self) -> str:
        """Return it as a line of text."""
        said = {True: "kept", False: "NOT KEPT", None: "not measured"}[self.is_kept]
        shown = "–" if self.measured is None else f"{self.measured:,.2f}"
        sign = "≥" if self.is_least else "≤"
        return f"  {self.name:<58}{shown:>10}  {sign} {self.limit:<8,g} {said}\n"


def promises(
    rows: Sequence[Figures],
    ratios: Sequence[Ratio],
    finishing: Mapping[str, float],
    dashboard: Mapping[str, float],
) -> list[Promise]:
    """Return every promise. Of several turns the worst counts, of ratios the median."""
    ours = [one for one in rows if (one.server, one.load) == ("ours", LOAD)]
    to_disk = [one.to_disk_ms.p99 for one in ours if one.to_disk_ms]
    lag = [one.loop_lag_ms.p99 for one in ours if one.loop_lag_ms]
    rss = [one.rss_kb_per_stream for one in ours]
    whole = [x for name, x in finishing.items() if name.endswith("the whole of it")]
    sent = dashboard.get("bytes a browser is sent")
    return [
        Promise(f"{LOAD}: CPU per packet, ours ÷ floor", _of(ratios, "floor"), 1.5),
        Promise(f"{LOAD}: CPU per packet, ours ÷ sample", _of(ratios, "sample"), 1.0),
        Promise(f"{LOAD}: sent to on the disk, p99, ms", _worst(to_disk), 300),
        Promise(f"{LOAD}: the loop is late, p99, ms", _worst(lag), 20),
        Promise(f"{LOAD}: memory per stream, kB", _worst(rss), 150),
        Promise(
            "finishing a call, × real time per core",
            min(whole, default=None),
            1000,
            is_least=True,
        ),
        Promise(
            "wallboard at 1,000 live calls, % of a core",
            dashboard.get("share of a core at one a second, %"),
            10,
        ),
        Promise(
            "the same, kB/s to a browser", None if sent is None else sent / 1000, 50
        ),
    ]


def _of(ratios: Sequence[Ratio], other: str) -> float | None:
    for one in ratios:
        if (one.load, one.server, one.other) == (LOAD, "ours", other):
            return one.median
    return None


def _worst(values: Sequence[float]) -> float | None:
    return max(values, default=None)
