"""Print the README's table of measured costs, or put it between the README's markers.

    .venv/bin/python -m scripts.bench_table [--write]

The figures are those of the last `make bench`, in docs/benchmarks/latest.json: nobody
types them.
"""

import json
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.settings_table import ROOT, print_or_write

LATEST = ROOT / "docs" / "benchmarks" / "latest.json"
MARKERS = ("<!-- bench:begin -->", "<!-- bench:end -->")
LOAD = "300 paced"
# Where an ingest process calls itself full (streaming.capacity).
SHARE_OF_A_CORE, PACKETS_PER_SECOND = 0.75, 50


def table(document: Mapping[str, Any]) -> str:
    """Return the Markdown tables of a run: costs side by side, then the promises."""
    rows = [row for row in document["rows"] if row["load"] == LOAD]
    names = [*dict.fromkeys(row["server"] for row in rows)]
    costs = {name: _median(rows, name, "cpu_us") for name in names}
    lines = [
        "| 300 streams in real time | µs of processor per packet | × floor | × sample |"
        " sent to on disk, ms, p50 / p99 | kB per stream |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        label = next(row["label"] for row in rows if row["server"] == name)
        strong = "**" if name == "ours" else ""
        lines.append(
            f"| {strong}{label}{strong} | {costs[name]:.1f}"
            f" | {costs[name] / costs['floor']:.2f}"
            f" | {costs[name] / costs['sample']:.2f}"
            f" | {_to_disk(rows, name)}"
            f" | {_median(rows, name, 'rss_kb_per_stream'):.0f} |"
        )
    machine = document["machine"]
    day = machine["date"][:10]
    holds = SHARE_OF_A_CORE * 1e6 / (costs["ours"] * PACKETS_PER_SECOND)
    lines += [
        "",
        f"Medians of one run on {machine['cores']} cores ({machine['cpu']}), Python"
        f" {machine['python']}, {day}. At that cost three quarters of a core"
        f" hold {holds:.0f} streams of one speaker. What we hold ourselves to, of"
        " several turns the worst:",
        "",
        "| figure | measured | limit | |",
        "|---|---|---|---|",
    ]
    for one in document["bar"]:
        sign = "≥" if one["is_least"] else "≤"
        kept = "kept" if one["is_kept"] else "**not kept**"
        lines.append(
            f"| {one['name']} | {one['measured']:,.2f} | {sign} {one['limit']:,g}"
            f" | {kept} |"
        )
    return "\n".join(lines)


def _median(rows: Iterable[Mapping[str, Any]], name: str, figure: str) -> float:
    found = [float(row[figure]) for row in rows if row["server"] == name]
    return statistics.median(found)


def _to_disk(rows: Iterable[Mapping[str, Any]], name: str) -> str:
    spreads = [row["to_disk_ms"] for row in rows if row["server"] == name]
    if not all(spreads):
        return "keeps nothing"
    half, most = (
        statistics.median(spread[p] for spread in spreads) for p in ("p50", "p99")
    )
    return f"{half:.0f} / {most:.0f}"


def main() -> None:
    """Print the table, or write it."""
    rows = table(json.loads(LATEST.read_text(encoding="utf-8")))
    print_or_write(__doc__ or "", rows, MARKERS)


if __name__ == "__main__":
    main()
