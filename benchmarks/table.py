"""Measurements as text: a table, ratios, and what must be known to believe them."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measure import Figures, Spread

COLUMNS = (
    ("load", 11),
    ("server", -25),
    ("µs/packet", 9),
    ("core", 5),
    ("packets/s", 9),
    ("to disk, ms", 16),
    ("loop late, ms", 13),
    ("kB/stream", 9),
    ("kept", 20),
)
UNDER = ("", "", "", "", "", "p50 / p95 / p99", "p50 / p99", "", "")

# Above this, others on the server's core are worth a remark: times suffer first.
CROWDED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of two servers' cost per packet: of the medians, and least and most of a turn."""

    load: str
    server: str
    other: str
    median: float
    least: float
    most: float
    turns: int


def table(found: Sequence[Figures]) -> str:
    """Return one line for each server and load; of several turns the middle one."""
    lines = [_row([name for name, _ in COLUMNS]), _row(UNDER)]
    load = ""
    # By load, a flood last; within a load in the order they came.
    by_load = sorted(found, key=lambda one: (one.load == "flood", one.streams))
    for turns in _turns(by_load).values():
        one = sorted(turns, key=lambda figures: figures.cpu_us)[len(turns) // 2]
        if one.load != load:
            lines.append("")
            load = one.load
        said = remarks(one)
        if len(turns) > 1:
            said.insert(0, f"middle of {len(turns)} turns")
        lines.append(f"{_row(_cells(one))}  {'; '.join(said)}".rstrip())
    return "\n".join(lines) + "\n"


def _turns(found: Iterable[Figures]) -> Mapping[tuple[str, str], list[Figures]]:
    turns: dict[tuple[str, str], list[Figures]] = {}
    for one in found:
        turns.setdefault((one.load, one.server), []).append(one)
    return turns


def _row(cells: Iterable[str]) -> str:
    return "  ".join(
        f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
        for cell, (_, width) in zip(cells, COLUMNS, strict=True)
    )


def _cells(one: Figures) -> list[str]:
    to_disk, lag = one.to_disk_ms, one.loop_lag_ms
    return [
        one.load,
        one.label,
        f"{one.cpu_us:.1f}",
        f"{one.cpu_share:.0%}",
        f"{one.packets_per_second:,.0f}",
        f"{_short(to_disk, 0)}",
        f"{lag.p50:.1f} / {lag.p99:.1f}" if lag else "–",
        f"{one.rss_kb_per_stream:,.0f}",
        _kept(one),
    ]


def _short(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return "–"
    return " / ".join(
        f"{one:.{digits}f}" for one in (spread.p50, spread.p95, spread.p99)
    )


def _kept(one: Figures) -> str:
    if one.stored is None:
        return f"0 of {one.sent:,}"
    if one.is_complete:
        return f"all of {one.sent:,}"
    return f"{one.stored:,} of {one.sent:,}"


def remarks(one: Figures) -> list[str]:
    """Return what a reader must know before believing the row."""
    said = []
    if not one.is_trustworthy:
        said.append(
            f"NOT TRUSTWORTHY: the load itself was late with {one.late_share:.1%} of"
            f" its packets, worst {one.worst_late_ms:.0f} ms"
        )
    if one.others_share > CROWDED_SHARE:
        said.append(f"others used {one.others_share:.0%} of the server's core")
    if one.is_complete is False:
        said.append("LOST PACKETS")
    if one.is_behind:
        said.append("fell behind real time")
    if one.lost_sockets:
        said.append(f"{one.lost_sockets} sockets lost")
    return said + list(one.faults)


def ratios(found: Sequence[Figures]) -> list[Ratio]:
    """Return ours against floor and sample, for each load at which both ran."""
    turns = _turns(found)
    ratios = []
    for load in dict.fromkeys(one.load for one in found):
        for server in ("ours", "ours-sansio"):
            for other in ("floor", "sample"):
                above = [one.cpu_us for one in turns.get((load, server), ())]
                below = [one.cpu_us for one in turns.get((load, other), ())]
                if above and below:
                    ratios.append(_ratio(load, server, other, above, below))
    return ratios


def _ratio(
    load: str, server: str, other: str, above: list[float], below: list[float]
) -> Ratio:
    # Turn by turn: what the machine does besides hits neighbours alike.
    each = [one / two for one, two in zip(above, below, strict=False)]
    return Ratio(
        load,
        server,
        other,
        statistics.median(above) / statistics.median(below),
        min(each),
        max(each),
        len(each),
    )


def ratio_lines(found: Iterable[Ratio]) -> str:
    """Return one line for each."""
    return "".join(
        f"{one.load:>11}  {one.server} ÷ {one.other:<6} {one.median:.2f}"
        + (f"  ({one.least:.2f} to {one.most:.2f})" if one.turns > 1 else "")
        + "\n"
        for one in found
    )


def listed(title: str, figures: Mapping[str, float]) -> str:
    """Return figures one under the other."""
    lines = [f"  {label:<62}{value:>12,.1f}\n" for label, value in figures.items()]
    return f"{title}\n{''.join(lines)}"
