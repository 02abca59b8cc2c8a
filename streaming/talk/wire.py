"""What a browser says over `/ws/talk/<call>`, and what it is told.

It says, as JSON:

    {"type": "press", "press": 1, "rate": 16000, "interrupts": false}   begin to speak
    {"type": "release", "press": 1}                                     end it
    {"type": "ping", "at": 123.4}                                       is answered

and between the first two, as binary messages, what is said: see `talk.press`. It is
told, as JSON: `facts` and `state` (whether the call hears, and at which rate), `talker`
(who has the word), `open` (what is sent from now on is heard), `refused`, `closed`,
`dropped`, `heard` (what became of it, by the rows that ingest writes), `error`, `pong`,
`ended`.
"""

from typing import Any, TypeAlias

import msgspec

from streaming.browser_socket import Ping
from streaming.talk.rights import MAY_INTERRUPT, TalkNow


class Pressed(msgspec.Struct, tag="press", forbid_unknown_fields=True):
    """Begin to speak."""

    press: int
    rate: int
    interrupts: bool = False


class Released(msgspec.Struct, tag="release", forbid_unknown_fields=True):
    """Speak no more."""

    press: int


Said: TypeAlias = Pressed | Released | Ping
said_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


def refusal(said: Pressed, user: Any, now: TalkNow) -> str:
    """Return why a press opens nothing; empty: it does."""
    if now.why:
        return now.why
    if said.rate != now.rate:
        return "rate"
    if said.interrupts and not user.has_perm(MAY_INTERRUPT):
        return "may_not_interrupt"
    return ""
