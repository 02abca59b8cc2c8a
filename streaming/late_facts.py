"""What the database said too late: a socket does not wait for it for long."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streaming.recorder import Recorder

PATIENCE: Final = 1.0


async def facts_ask_again(recorder: "Recorder") -> None:
    """Ask the database again about calls it did not know when they began.

    Until then all their keys are masked, and nothing hears them or speaks into them.
    """
    strangers = [
        call
        for call in recorder.calls.values()
        if call.sessions and not call.is_masking_known
    ]
    for call in strangers:
        facts = await recorder.archive.facts(call.call_id, PATIENCE)
        if facts is None:
            # The others would fare no better.
            return
        if not call.sessions:
            continue
        recorder.call_taken(call.call_id, facts, datetime.now(UTC))
        recorder.handlers.opened(call, facts)
        call.sessions[-1].attach()
