"""WebSocket for ingest: uvicorn outside, frames parsed in C inside. No Django.

uvicorn takes any asyncio protocol class for WebSockets. Ours answers the handshake
with `websockets` and leaves frames to picows; for the application it is plain ASGI, so
ingest runs on uvicorn's own classes as well, and on any other ASGI server.

    protocol   the class uvicorn is given: ASGI on one side, a socket on the other
    handshake  the opening request: what is answered to it, and the scope it makes
    frames     frames to messages (RFC 6455): fragments, control frames, closing
    parser     picows, kept from writing and closing by itself
    waiting    messages that the application has not received yet
    http       uvicorn's HTTP class with a deadline for those who never send a request
    loop       the event loop: transports in C, and sockets asked together under load
"""

from typing import Final

# An ASGI extension of ours. `scope["extensions"][DELIVERY]` is a function: give it a
# function of one message (text or bytes), and from then on that is called with each
# message as it is read, on the event loop, in order, those that waited first;
# `receive()` returns nothing more but the `websocket.disconnect`. It must not block.
# What it raises closes the socket with 1011 and comes out of `receive()`. Without the
# extension an application calls `receive()` for each message: a task switch each time.
DELIVERY: Final = "acsstream.delivery"

# Another one: `scope["extensions"][SENDING]` is a function of one text. It sends it at
# once, if the socket is open and next to nothing that was sent before is still in this
# process; else it returns False, and nothing was sent. A peer that does not read then
# costs no memory here, and is read from all the same: `send` would wait, and let the
# reading wait with it.
SENDING: Final = "acsstream.sending"

# And a third: `scope["extensions"][ROUND_TRIP]` is a function of a function of one
# integer. It sends a ping; when the peer's pong comes, the inner function is called
# with how long that took, in µs. A ping that is not answered costs nothing and ends
# nothing; the next one takes its place.
ROUND_TRIP: Final = "acsstream.round_trip"
