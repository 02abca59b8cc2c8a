"""Relays a call to a speech-to-speech service of the OpenAI Realtime protocol.

`handler` has the call on one side; `link` the service on the other, over as many
sessions as it takes; between them `conversation` knows who said what, and how much of
it was heard. `docs/realtime.md` says what a profile can ask for.
"""

from streaming.handlers.realtime.handler import Realtime
from streaming.handlers.realtime.tools import Desk

__all__ = ["Desk", "Realtime"]
