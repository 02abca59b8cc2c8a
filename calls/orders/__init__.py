"""Every kind of command, in one table: what is sent and what proves it.

A new command is a `CommandKind` and an entry in the table of the module it belongs to.
"""

from calls.orders import (
    coming,
    ending,
    people,
    speaking,
    streaming,
    tones,
    transcription,
)
from calls.orders.order import (
    Arguments,
    CommandRefused,
    Given,
    Order,
    Shown,
    given_of,
    under_way,
)

ORDERS: dict[str, Order] = {
    **coming.ORDERS,
    **streaming.ORDERS,
    **transcription.ORDERS,
    **tones.ORDERS,
    **speaking.ORDERS,
    **people.ORDERS,
    **ending.ORDERS,
}

__all__ = [
    "ORDERS",
    "Arguments",
    "CommandRefused",
    "Given",
    "Order",
    "Shown",
    "given_of",
    "under_way",
]
