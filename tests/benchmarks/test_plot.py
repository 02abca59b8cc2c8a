"""The picture of a run."""

from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import facts
from benchmarks.plot import draw, middle
from tests.benchmarks.test_load import figures


def test_a_run_is_drawn(tmp_path: Path) -> None:
    rows = [asdict(figures()), asdict(figures(server="sample", to_disk_ms=None))]

    draw({"machine": facts(), "rows": rows}, tmp_path / "latest.png")

    assert (tmp_path / "latest.png").read_bytes().startswith(b"\x89PNG")


def test_of_several_turns_the_middle_one_is_drawn_and_a_flood_comes_last() -> None:
    rows = [
        asdict(figures(load="flood", streams=20, cpu_us=7.0)),
        *(asdict(figures(cpu_us=cost)) for cost in (30.0, 20.0, 25.0)),
        asdict(figures(server="floor")),
    ]

    drawn = middle(rows)

    assert [(row["load"], row["server"]) for row in drawn] == [
        ("300 paced", "floor"),
        ("300 paced", "ours"),
        ("flood", "ours"),
    ]
    assert drawn[1]["cpu_us"] == 25.0
