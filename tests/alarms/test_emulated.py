"""Faults of emulated calls become the alarms they are, in the database."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.emulator.conftest import Bench, MakeBench
from tests.streaming.house import House, eventually

# Where in the conversation of two the second speaks for some seconds.
SECOND_SPEAKS = {"offset": 21}
# Kinds of alarms, and the call that shows each.
PLANS: dict[str, dict[str, Any]] = {
    "dead_air": {"faults": {"dead_from": 1, "dead_seconds": 6}},
    "one_way": {"faults": {"unheard": 1}, "script": {"offset": 16}},
    "stalled": {"faults": {"stall_from": 2, "stall_seconds": 7}},
    "clipping": {"faults": {"louder_db": 50}, "script": SECOND_SPEAKS},
    "too_quiet": {"faults": {"quieter_db": 26}, "script": SECOND_SPEAKS},
    "gaps": {"faults": {"gap": 100, "gap_packets": 50}},
    "malformed": {"faults": {"not_json": 25}},
}


async def ring(bench: Bench, house: House, plan: dict[str, Any]) -> str:
    """Ring a call and have it streamed to the ingest process; return its id."""
    call_id = uuid4()
    media = bench.media()
    media.transport_url = house.url(call_id)
    call = await bench.ring(**plan)
    await bench.client.answer_call(
        call["incoming_call_context"],
        bench.app.url + "/callbacks",
        media_streaming=media,
    )
    return call_id.hex


async def test_each_fault_raises_its_alarm_and_no_other(
    build: Callable[..., House], make_bench: MakeBench
) -> None:
    house = build(
        ACSSTREAM_ALARM_DEAD_AIR_SECONDS="4",
        ACSSTREAM_ALARM_ONE_WAY_SECONDS="6",
        # The emulator runs in this process: when that stands still, all calls do.
        ACSSTREAM_ALARM_STALLED_SECONDS="5",
    ).start()
    bench = await make_bench(speed=1.0)
    calls = {await ring(bench, house, plan): kind for kind, plan in PLANS.items()}

    def alarms() -> list[dict[str, Any]]:
        return house.rows("select * from calls_alarm order by opened_at")

    found = await eventually(
        lambda: {one["kind"] for one in alarms()} == set(PLANS) and alarms(), 60
    )
    raised = {(calls[one["call_id"]], one["kind"]) for one in found}
    # While only the side that nobody hears talks, the line is as good as dead.
    raised.discard(("one_way", "dead_air"))
    assert raised == {(kind, kind) for kind in PLANS}
    for each in found:
        [track] = house.rows(
            "select min(origin_us) as origin from calls_track where call_id = ?",
            each["call_id"],
        )
        # Where to listen: in the call, before it was told.
        assert 0 <= each["at_us"] - track["origin"] < 60_000_000

    def cleared() -> set[str]:
        return {one["kind"] for one in alarms() if one["cleared_at"] is not None}

    await eventually(lambda: {"dead_air", "stalled"} <= cleared(), 60)
    # With its sockets everything that an ingest process saw of a call ends.
    assert house.end() in (0, -15)
    assert cleared() == set(PLANS)
