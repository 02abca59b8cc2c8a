"""From what a profile names to a handler. No Django."""

import asyncio
import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from streaming.handlers.interface import Handler

SHIPPED: Final = {
    "echo": "streaming.handlers.echo.Echo",
    "prompt": "streaming.handlers.prompt.PromptPlayer",
    "realtime": "streaming.handlers.realtime.Realtime",
}
METHODS: Final = ("on_open", "on_audio", "on_dtmf", "on_speech_started", "on_close")


class HandlerFault(Exception):  # noqa: N818 the operator's to read, not an error of ours
    """A handler that cannot be had, or went wrong; the message says so, no more."""


def handler_class(name: str) -> type[Handler]:
    """Return what a profile names. It imports, so it may take long.

    Raises `HandlerFault`, whatever goes wrong in what is imported.
    """
    module, _, attribute = SHIPPED.get(name, name).rpartition(".")
    if not module:
        raise HandlerFault(f"there is no handler “{name}”")
    try:
        found = getattr(import_module(module), attribute, None)
    except (Exception, SystemExit) as exc:
        # Somebody else's module: its words may say anything.
        raise HandlerFault(f"“{module}” cannot be imported: {_kind(exc)}") from exc
    if not (inspect.isclass(found) and issubclass(found, Handler)):
        raise HandlerFault(f"“{module}” has no handler “{attribute}”")
    for method in METHODS:
        if not inspect.iscoroutinefunction(getattr(found, method)):
            raise HandlerFault(f"{method} of “{name}” is not `async def`")
    return found


def _kind(exc: BaseException) -> str:
    return type(exc).__name__


def handler_made(name: str, options: Mapping[str, Any]) -> Handler:
    """Return a new handler. Whatever its making imports or reads may take long.

    Raises `HandlerFault`. What a handler says of its options is told to people.
    """
    found = handler_class(name)
    try:
        return found(options)
    except ValueError as exc:
        raise HandlerFault(f"its options make no sense: {exc}") from exc
    except (Exception, SystemExit) as exc:
        raise HandlerFault(f"it cannot be made: {_kind(exc)}") from exc


async def handler_of(name: str, options: Mapping[str, Any]) -> Handler:
    """Return a new handler, made in a thread: no other call waits for it meanwhile."""
    return await asyncio.to_thread(handler_made, name, options)
