"""Every frame that Microsoft's documentation, SDKs and SDK tests show."""

import json
from pathlib import Path
from typing import Any

import pytest

from streaming.protocol import decode

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "documented.json").read_text()
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_reads_what_the_sources_show(case: dict[str, Any]) -> None:
    frame = json.dumps(case["frame"])

    assert type(decode(frame)).__name__ == case["type"]
    assert decode(frame.encode()) == decode(frame)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_ignores_members_that_may_come_one_day(case: dict[str, Any]) -> None:
    frame = {**case["frame"], "later": [1], "laterData": {"data": 1}}

    assert decode(json.dumps(frame)) == decode(json.dumps(case["frame"]))
