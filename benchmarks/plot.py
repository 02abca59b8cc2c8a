"""The picture of a run: the only module that knows matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = {
    "floor": "#9aa0a6",
    "sample": "#f2a65a",
    "sample-file": "#c8553d",
    "ours": "#2a6f97",
    "ours-sansio": "#89c2d9",
    "rows": "#6a4c93",
}
# Above this a bar is cut and labelled: a row per packet would flatten all others.
CUT_US = 80
WIDTH = 0.17


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw cost per packet and the way to the disk, for each load."""
    rows = middle(document["rows"])
    figure, (cost, disk) = plt.subplots(1, 2, figsize=(13, 4.5), dpi=110)
    _bars(cost, rows, "cpu_us", f"CPU per packet, µs (cut at {CUT_US})", CUT_US)
    stored = [
        row | {"p99": row["to_disk_ms"]["p99"]} for row in rows if row["to_disk_ms"]
    ]
    _bars(disk, stored, "p99", "sent to on the disk, p99, ms", None)
    cost.legend(frameon=False, fontsize=8)
    machine = document["machine"]
    figure.suptitle(
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']},"
        f" {machine['date'][:10]}; server on one core, load on another",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def middle(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of several turns of one server at one load the one in the middle."""
    turns: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        turns.setdefault((row["load"], row["server"]), []).append(row)
    order = list(COLOURS)
    found = [
        sorted(some, key=lambda row: row["cpu_us"])[len(some) // 2]
        for some in turns.values()
    ]
    # By load, a flood last; within a load as in the legend.
    return sorted(
        found,
        key=lambda row: (
            row["load"] == "flood",
            row["streams"],
            order.index(row["server"]),
        ),
    )


def _bars(
    axes: Axes,
    rows: Sequence[dict[str, Any]],
    field: str,
    title: str,
    cut: float | None,
) -> None:
    loads = list(dict.fromkeys(row["load"] for row in rows))
    named: set[str] = set()
    for place, load in enumerate(loads):
        here = [row for row in rows if row["load"] == load]
        for number, row in enumerate(here):
            server, value = row["server"], row[field]
            at = place + (number - (len(here) - 1) / 2) * WIDTH
            height = min(value, cut) if cut else value
            label = None if server in named else row["label"]
            axes.bar(at, height, WIDTH * 0.9, color=COLOURS[server], label=label)
            shown = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
            axes.annotate(shown, (at, height), ha="center", va="bottom", fontsize=7)
            named.add(server)
    axes.set_xticks(range(len(loads)), loads, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
