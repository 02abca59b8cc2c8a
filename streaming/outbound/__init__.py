"""What we say into a call: queued by name, paced, known to the millisecond.

`playout` is the queue and its clock, without I/O; `speaker` sends what is due over the
call's socket. Everybody who speaks (prompts, the console, handlers) goes through one
`Speaker` per call, so that a stop silences all of it at once.
"""

from streaming.outbound.items import Item, ItemKind, ItemState
from streaming.outbound.playout import Playout
from streaming.outbound.speaker import Speaker

__all__ = ["Item", "ItemKind", "ItemState", "Playout", "Speaker"]
