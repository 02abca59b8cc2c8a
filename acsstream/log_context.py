"""The fields that every line of a request, a task or a socket has in common.

Whoever begins such work binds them with `structlog.contextvars`: `request_id` and
`call_id` of a request, `task`, `task_id` and `call_id` of a task, `call_id` and
`connection_id` of a socket. They are written as JSON; a line of text names the call
itself, for a reader.
"""

from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger


def context_processors(style: str, node: str) -> list[Any]:
    """Return what adds the fields to a line: nothing to a line of text."""
    if style != "json":
        return []

    def add_node(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "node": node} if node else event

    return [structlog.contextvars.merge_contextvars, add_node]
