"""The opening request of a WebSocket: what answers it, and the ASGI scope it makes."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol


class Handshake:
    """Reads the request that opens a socket. Feed it until it has one.

    `refusal` is the answer to a request that is none (RFC 6455, 4.2.1), else None.
    Extensions are never agreed on; a subprotocol is the application's to choose.
    """

    def __init__(self) -> None:
        self._server = ServerProtocol()
        self._head = b""
        self.request: Request | None = None
        self.refusal: Response | None = None
        self.rest = b""

    def receive(self, content: bytes) -> bool:
        """Take bytes; return True once, when the request is complete or cannot be one.

        What comes behind it is in `rest`.
        """
        if self.request or self.refusal:
            self.rest += content
            return False
        self._head += content
        head, mark, self.rest = self._head.partition(b"\r\n\r\n")
        if not mark:
            return False
        self._server.receive_data(head + mark)
        for event in self._server.events_received():
            if isinstance(event, Request):
                self.request = event
        if self.request is None:
            self.refusal = self.refuse(400, f"{self._server.handshake_exc}\n")
            return True
        answer = self._server.accept(self.request)
        if answer.status_code != 101:
            self.refusal = answer
        return True

    def refuse(self, status: int, text: str = "") -> Response:
        """Return a refusal with `text` for its body."""
        return self._server.reject(status, text)

    @property
    def key(self) -> str:
        """Return the client's Sec-WebSocket-Key."""
        return str(self._headers["Sec-WebSocket-Key"])

    @property
    def _headers(self) -> Any:
        if self.request is None:
            raise AssertionError("asked before the request was complete")
        return self.request.headers

    def scope(self, root_path: str) -> dict[str, Any]:
        """Return the request's part of an ASGI scope."""
        if self.request is None:
            raise AssertionError("asked before the request was complete")
        raw_path, _, query = self.request.path.partition("?")
        return {
            "path": root_path + unquote(raw_path),
            "raw_path": root_path.encode("ascii") + raw_path.encode("ascii"),
            "root_path": root_path,
            "query_string": query.encode("ascii"),
            "headers": [
                (name.lower().encode("ascii"), value.encode("ascii", "surrogateescape"))
                for name, value in self._headers.raw_items()
            ],
            "subprotocols": list(
                _tokens(self._headers.get_all("Sec-WebSocket-Protocol"))
            ),
        }


def _tokens(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        yield from (token.strip() for token in value.split(","))


def text_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return an application's headers as text."""
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers
    ]
