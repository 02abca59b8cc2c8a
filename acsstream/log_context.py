"""The fields that every line of a request, a task or a socket has in common.

Whoever begins such work binds them with `structlog.contextvars`: `request_id` and
`call_id` of a request, `task`, `task_id` and `call_id` of a task, `call_id` and
`connection_id` of a socket. They are written as JSON; a line of text names the call
itself, for a reader.
"""

import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger


def context_processors(style: str, node: str) -> list[Any]:
    """Return what adds the fields to a line: nothing to a line of text."""
    if style != "json":
        return []

    def add_node(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "node": node} if node else event

    return [structlog.contextvars.merge_contextvars, add_node, _add_trace]


def _add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the trace, in a process that traces: it alone has loaded the library."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return event
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return event
    return {**event, "trace_id": format(context.trace_id, "032x")}
