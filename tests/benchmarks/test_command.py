"""`make bench` as a whole, on a load that any machine holds."""

import json
import subprocess
import sys

from benchmarks.servers.house import ROOT

KEPT_AT = ROOT / "docs" / "benchmarks" / "latest.json"


def test_one_run_measures_every_part_and_leaves_the_documents_alone() -> None:
    before = KEPT_AT.read_bytes() if KEPT_AT.exists() else None

    said = bench("--quick", "--json", "--streams", "2", "--seconds", "1")

    found = json.loads(said.stdout)
    rows = {row["server"]: row for row in found["rows"]}
    assert set(rows) == {"floor", "sample", "ours"}
    assert all(row["sent"] == 200 for row in rows.values())
    assert rows["floor"]["stored"] == rows["ours"]["stored"] == 200
    assert {(one["server"], one["other"]) for one in found["ratios"]} == {
        ("ours", "floor"),
        ("ours", "sample"),
    }
    assert found["dashboard"]["live calls"] == 1000
    assert found["finishing"]["two speakers and their mix, the whole of it"] > 0
    assert found["steps"]
    assert found["machine"]["cores"] >= 1
    # Of the bar only what was measured: these were not 300 streams.
    assert len(found["bar"]) == 3
    assert (KEPT_AT.read_bytes() if KEPT_AT.exists() else None) == before


def test_a_server_that_nobody_knows_is_refused_before_anything_runs() -> None:
    said = bench("--servers", "floor,florr")

    assert said.returncode == 2
    assert "no server is called florr" in said.stderr


def bench(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--no-write", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
