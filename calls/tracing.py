"""Traces by OpenTelemetry: off, and of no cost, unless somebody asks for them.

A call is one trace: the webhook that told of it, the task that answers it, the request
to ACS, and the socket that ACS dials then. The first three hand their context on by
Celery's headers. ACS hands on nothing: the request leaves its context in Redis under
the call's id, where the socket finds it. Nothing here is on a packet's way, and no span
names a person.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import redis
import redis.asyncio
from django.conf import settings

from calls.live.ingest import redis_sync

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext, Tracer

KEY = "acsstream:trace"
# ACS dials within seconds, and again after a fault, for as long as a call may last.
KEPT_SECONDS = 24 * 3600

log = logging.getLogger(__name__)


class _State:
    """What this process traces with, once it has begun to."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None


def tracing_start(process: str) -> None:
    """Begin to trace, if the settings say where to. After a fork begin again."""
    if not settings.TRACES_URL or _State.provider is not None:
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("there are no traces: pip install -r requirements-otel.txt")
        return
    given = os.environ.get("OTEL_SERVICE_NAME", "")
    about = {
        "service.name": given or f"acsstream-{process}",
        "host.name": settings.NODE,
    }
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _State.provider, _State.tracer = provider, provider.get_tracer("acsstream")


def tracing_stop() -> None:
    """Send what waits. It blocks for seconds if nobody takes it."""
    if _State.provider is not None:
        _State.provider.shutdown()
        _State.provider = _State.tracer = None


def is_tracing() -> bool:
    """Say whether spans are made at all."""
    return _State.tracer is not None


@contextmanager
def span(
    name: str,
    *,
    kind: str = "INTERNAL",
    carried: Mapping[str, str] | None = None,
    **attributes: str,
) -> Iterator[None]:
    """Have a span around a block, a child of what is carried or of what is around."""
    if _State.tracer is None:
        yield
        return
    from opentelemetry import propagate, trace

    parent = propagate.extract(carried) if carried else None
    with _State.tracer.start_as_current_span(
        name,
        context=parent,
        kind=trace.SpanKind[kind],
        attributes=_attributes(attributes),
    ):
        yield


def carried_on() -> dict[str, str]:
    """Return what somebody else needs to go on with the trace; empty without one."""
    found: dict[str, str] = {}
    if _State.tracer is not None:
        from opentelemetry import propagate

        propagate.inject(found)
    return found


def call_trace_leave(call_id: object) -> None:
    """Leave the trace where the call's sockets find it. Redis may be away."""
    context = carried_on()
    if not context:
        return
    try:
        with redis_sync() as client:
            client.set(
                f"{KEY}:{call_id}", msgspec.json.encode(context), ex=KEPT_SECONDS
            )
    except (redis.RedisError, OSError) as exc:
        log.debug("a socket will have a trace of its own: %s", type(exc).__name__)


async def socket_span(
    client: redis.asyncio.Redis, name: str, began_ns: int, **attributes: str
) -> Span | None:
    """Return a span that began when a call's socket opened; whoever gets it ends it.

    It is part of the trace in which ACS was asked for the socket, and linked to that
    request. A socket that nobody asked for has a trace of its own.
    """
    if _State.tracer is None:
        return None
    from opentelemetry import propagate, trace

    try:
        left = await client.get(f"{KEY}:{attributes['call_id']}")
    except (redis.RedisError, OSError):
        left = None
    parent = propagate.extract(msgspec.json.decode(left)) if left else None
    asked: SpanContext = trace.get_current_span(parent).get_span_context()
    return _State.tracer.start_span(
        name,
        context=parent,
        kind=trace.SpanKind.SERVER,
        links=[trace.Link(asked)] if asked.is_valid else None,
        start_time=began_ns,
        attributes=_attributes(attributes),
    )


def _attributes(named: Mapping[str, str]) -> dict[str, Any]:
    return {f"acsstream.{name}": value for name, value in named.items()}
