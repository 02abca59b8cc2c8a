"""The soak itself, short: that it runs, and that it would notice."""

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.servers.house import ROOT
from benchmarks.soak import POOL, Sample, Soak, faults


def test_a_short_soak_loses_and_leaks_nothing() -> None:
    soak = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.soak", "--json"),
            *("--minutes", "0.3", "--streams", "10", "--redial-every", "3"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert soak.returncode == 0, soak.stdout + soak.stderr
    seen = json.loads(soak.stdout)
    assert seen["ok"] is True
    assert seen["sent"] == seen["stored"] == 10 * 50 * 18
    assert seen["redials"] > 0
    assert seen["journals"] == 10 + seen["redials"]


def test_memory_that_grows_for_long_is_a_fault() -> None:
    [fault] = faults(soaked(minutes=10, kb_per_minute=300))

    assert fault == "memory grows by 300 kB a minute"


def test_memory_that_grows_for_a_moment_is_none() -> None:
    assert faults(soaked(minutes=1, kb_per_minute=300)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"lost_sockets": 2}, "2 sockets were lost"),
        ({"journals": 11}, "10 sockets and 2 redials made 11 journals"),
        ({"descriptors": (25, 26)}, "26 open files, 25 before"),
        ({"threads": (5, 6 + POOL)}, f"{6 + POOL} threads, 5 before"),
    ],
)
def test_what_is_left_behind_is_a_fault(change: dict[str, Any], fault: str) -> None:
    soak = soaked(minutes=10, kb_per_minute=0)
    for name, value in change.items():
        setattr(soak, name, value)

    assert faults(soak) == [fault]


def test_growth_is_told_per_packet_too() -> None:
    soak = soaked(minutes=10, kb_per_minute=300)

    # 10 streams bring 30,000 packets a minute.
    assert soak.bytes_per_packet == pytest.approx(10)


def soaked(*, minutes: float, kb_per_minute: float) -> Soak:
    samples = [
        Sample(
            at=number * 6.0,
            rss=round(100e6 + number * kb_per_minute * 100),
            descriptors=45,
            threads=5,
            pending_bytes=None,
            tasks=None,
            loop_lag_p99_ms=None,
        )
        for number in range(100)
    ]
    return Soak(
        minutes,
        10,
        samples,
        journals=12,
        redials=2,
        descriptors=(25, 25),
        threads=(5, 5),
    )
