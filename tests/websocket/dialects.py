"""The WebSocket classes under test, and what may differ between them.

Every test runs against uvicorn's own class too: what both do alike is what an ASGI
application may rely on. Where they differ is written down here, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streaming.websocket.http import IngestHttpProtocol


@dataclass(frozen=True)
class Dialect:
    """One WebSocket class of uvicorn's, and what it does its own way.

    The defaults are what ours does.
    """

    name: str
    # As `uvicorn --ws` takes it.
    ws: str
    options: Mapping[str, Any] = field(default_factory=dict)

    # A client must wait for the answer to its handshake (RFC 6455, 4.1). What one sends
    # before is lost by uvicorn's HTTP class, which does not hand it on.
    takes_frames_with_request: bool = True
    # `websockets` makes no request of a method that is not GET, which uvicorn's class
    # does not notice: the connection hangs without an answer.
    answers_other_methods: bool = True
    # `websockets` holds a close frame within a fragmented message to be a fault. RFC
    # 6455, 5.4: "Control frames MAY be injected in the middle of a fragmented message".
    may_close_within_message: bool = True
    # uvicorn's class looks for a fault in what it read before it hands on the messages
    # that stand before it, and then does not.
    keeps_what_came_before_a_fault: bool = True
    # uvicorn's class logs an error behind each denial response, and raises over faulty
    # frames that come before the application has answered.
    is_calm_before_accept: bool = True
    # RFC 6455, 7.1.5: without a close frame the code is 1006. uvicorn says 1005, which
    # is a close frame without a code.
    code_of_the_vanished: int = 1006
    # When an application returns or raises, uvicorn just drops the connection.
    says_why_it_ends: bool = True
    # RFC 6455, 5.2: "the minimal number of bytes MUST be used to encode the length".
    # `websockets` does not look.
    refuses_long_lengths: bool = True
    # uvicorn's class answers pings whether the answers are read or not, and keeps in
    # memory what is not.
    stops_for_who_does_not_read: bool = True
    # At a shutdown uvicorn's class closes the connection behind its close frame. Ours
    # takes what was on its way until the peer has answered.
    listens_while_closing: bool = True
    # uvicorn asks `limit_concurrency` of plain requests only.
    limits_concurrency: bool = True
    # A connection closed with bytes unread is reset, which may overtake the reason.
    reads_out_the_faulty: bool = True
    # uvicorn's class tells of the end once or twice, and then lets `receive` wait.
    tells_of_the_end_again: bool = True
    # ACS need not answer pings, and a missing pong is no reason to end a call.
    never_pings: bool = True


PLAIN = {"loop": "asyncio", "http": "h11"}
SANSIO = Dialect(
    name="websockets-sansio",
    ws="websockets-sansio",
    options=PLAIN,
    takes_frames_with_request=False,
    answers_other_methods=False,
    may_close_within_message=False,
    keeps_what_came_before_a_fault=False,
    is_calm_before_accept=False,
    code_of_the_vanished=1005,
    says_why_it_ends=False,
    refuses_long_lengths=False,
    stops_for_who_does_not_read=False,
    listens_while_closing=False,
    limits_concurrency=False,
    reads_out_the_faulty=False,
    tells_of_the_end_again=False,
    never_pings=False,
)
# As `manage.py ingest` has it.
OURS = Dialect(
    name="picows",
    ws="streaming.websocket.protocol:PicowsProtocol",
    options={
        "http": IngestHttpProtocol,
        "loop": "streaming.websocket.loop:new_event_loop",
    },
)
# The class alone, in a uvicorn that is otherwise as it comes.
ALONE = replace(
    OURS, name="picows-alone", options=PLAIN, takes_frames_with_request=False
)
DIALECTS = {dialect.name: dialect for dialect in (SANSIO, OURS, ALONE)}
