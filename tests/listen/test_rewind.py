"""A past that lies on two nodes, because the call was dialled again to another."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from streaming.listen import rewind as listen_rewind
from streaming.listen.feed import Ring
from streaming.listen.rewind import NothingThereError, Rewind
from streaming.listen.wire import Ask, Packet, Past, Read
from tests.streaming.wire import ALICE, RATE, SAMPLES


class Nodes:
    """Nodes with packets of given arrival times, two in a piece."""

    def __init__(self, **arrivals: list[int]) -> None:
        self.id, self.call_id, self.ring = "web", uuid4(), Ring()
        self.answers: dict[str, Callable[[Past], None]] = {}
        self.arrivals = arrivals
        self.dead: set[str] = set()

    async def ask(self, ask: Ask) -> None:
        assert isinstance(ask, Read)
        for node, arrivals in self.arrivals.items():
            if ask.node in (None, node) and node not in self.dead:
                begin = (ask.cursor or {}).get(node, 0)
                self.answers[ask.ask](self.piece(ask, node, arrivals, begin))

    def piece(self, ask: Read, node: str, arrivals: list[int], begin: int) -> Past:
        given = arrivals[begin : begin + 2]
        return Past(
            ask=ask.ask,
            node=node,
            cursor={node: begin + len(given)},
            connections=[node],
            tracks=[(ALICE, RATE)],
            packets=[Packet(0, 0, at, at, SAMPLES, b"") for at in given],
            reached={node: given[-1]} if given else {},
            is_end=begin + len(given) == len(arrivals),
        )


async def all_of(rewind: Rewind) -> list[int]:
    found, is_end = [], False
    while not is_end:
        packets, is_end = await rewind.next()
        found += [packet.arrival_us for packet in packets]
    return found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_SECONDS", "OTHERS_SECONDS", "PIECE_SECONDS"):
        monkeypatch.setattr(listen_rewind, name, 0.05)


async def test_two_nodes_give_one_past_in_the_order_of_arrival() -> None:
    nodes = Nodes(one=[1, 2, 3, 8, 9, 20, 21, 22, 23], two=[4, 5, 6, 7, 10, 30])

    found = await all_of(Rewind(nodes, 0))

    assert found == sorted(nodes.arrivals["one"] + nodes.arrivals["two"])


async def test_a_node_that_died_is_done_without() -> None:
    nodes = Nodes(one=[1, 2, 3, 4], two=[5, 6, 7, 8])
    rewind = Rewind(nodes, 0)
    first, _ = await rewind.next()
    nodes.dead.add("one")
    for _ in range(listen_rewind.MAX_SILENCES - 1):
        with pytest.raises(NothingThereError):
            await rewind.next()

    found = await all_of(rewind)

    assert [packet.arrival_us for packet in first] == [1, 2]
    assert found == [5, 6, 7, 8]


async def test_the_only_node_is_waited_for() -> None:
    nodes = Nodes(one=[1, 2, 3, 4])
    rewind = Rewind(nodes, 0)
    await rewind.next()
    nodes.dead.add("one")
    for _ in range(2 * listen_rewind.MAX_SILENCES):
        with pytest.raises(NothingThereError):
            await rewind.next()
    nodes.dead.clear()

    assert await all_of(rewind) == [3, 4]


async def test_nobody_has_a_past() -> None:
    nodes: Any = Nodes()
    with pytest.raises(NothingThereError):
        await Rewind(nodes, 0).next()
    assert nodes.answers == {}
