"""Answers made of blocks, and answers that are their user's alone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar, cast

from django.http import HttpResponseBase, StreamingHttpResponse

Response = TypeVar("Response", bound=HttpResponseBase)


class BlockResponse(StreamingHttpResponse):
    """Blocks read one by one, under ASGI each in a worker thread.

    Django would otherwise read a synchronous stream whole before sending any of it.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the blocks without holding up the event loop."""
        blocks = iter(cast(Iterator[bytes], self.streaming_content))
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            yield block


def private(response: Response, etag: str = "") -> Response:
    """Let the browser keep the answer for its user, nobody on the way."""
    response["Cache-Control"] = "private, max-age=0, must-revalidate"
    response["X-Content-Type-Options"] = "nosniff"
    if etag:
        response["ETag"] = etag
    return response
