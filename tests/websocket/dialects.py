"""The WebSocket classes under test, and what may differ between them.

Every test runs against uvicorn's own class too: what both do alike is what an ASGI
application may rely on. Where they differ is written down here, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    # `websockets` raises over a method that is not GET, and uvicorn's class does not
    # expect that: no answer, and a traceback.
    answers_other_methods: bool = True
    # `websockets` holds a close frame within a fragmented message to be a fault. RFC
    # 6455, 5.4: "Control frames MAY be injected in the middle of a fragmented message".
    may_close_within_message: bool = True


SANSIO = Dialect(
    name="websockets-sansio",
    ws="websockets-sansio",
    takes_frames_with_request=False,
    answers_other_methods=False,
    may_close_within_message=False,
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
DIALECTS = {dialect.name: dialect for dialect in (SANSIO, OURS)}
