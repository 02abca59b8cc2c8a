"""What the model can do beside talking: functions of ours, by dotted path.

A tool is an `async def` with a docstring and typed parameters; what it returns is told
to the model. A first parameter of the type `Desk` is the call, and no business of the
model. Whatever goes wrong in a tool is told to the model as well, and ends nothing.
"""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol, get_type_hints

import msgspec

from streaming.handlers.interface import Line

TOOL_SECONDS: Final = 20.0
LONGEST_OUTPUT: Final = 20_000
SHIPPED: Final = {
    "hang_up": "streaming.handlers.realtime.tools.hang_up",
    "transfer": "streaming.handlers.realtime.tools.transfer",
}


class Desk(Protocol):
    """The call, as tools have it in hand."""

    @property
    def line(self) -> Line:
        """Return the call's line."""

    @property
    def transfers(self) -> Mapping[str, str]:
        """Return where a call may be transferred to: raw ids by name."""

    @property
    def caller_id(self) -> str:
        """Return the number of ours that a transfer to a phone shows."""

    async def heard(self) -> None:
        """Wait until all that the model said was heard."""

    async def order(self, kind: str, why: str, **arguments: str) -> str:
        """Give an order that ends the call for us; return why it was refused."""

    def part(self, order: Callable[[], Awaitable[str]]) -> None:
        """Do something once the model's goodbye was heard."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function as the model sees it. `takes` reads and checks its arguments."""

    name: str
    description: str
    function: Callable[..., Awaitable[Any]]
    takes: type[msgspec.Struct]
    wants_desk: bool

    def schema(self) -> dict[str, Any]:
        """Return what a session is told of it."""
        _, components = msgspec.json.schema_components([self.takes])
        parameters = components.pop(self.takes.__name__)
        if components:
            parameters["$defs"] = components
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": {**parameters, "additionalProperties": False},
        }


def load(path: str) -> Tool:
    """Return the tool at a dotted path. Raises ValueError."""
    module, _, name = SHIPPED.get(path, path).rpartition(".")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ValueError(f"tools: there is no {path}") from exc
    if not inspect.iscoroutinefunction(function) or not function.__doc__:
        raise ValueError(f"tools: {path} is no `async def` with a docstring")
    return _described(path, name, function)


def _described(path: str, name: str, function: Callable[..., Awaitable[Any]]) -> Tool:
    hints = get_type_hints(function)
    members: list[tuple[str, type] | tuple[str, type, Any]] = []
    wants_desk = False
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.name not in hints:
            raise ValueError(f"tools: {parameter.name} of {path} has no type")
        kind = hints[parameter.name]
        if number == 0 and kind is Desk:
            wants_desk = True
        elif parameter.default is parameter.empty:
            members.append((parameter.name, kind))
        else:
            members.append((parameter.name, kind, parameter.default))
    takes = msgspec.defstruct(name, members, kw_only=True, forbid_unknown_fields=True)
    description = inspect.cleandoc(function.__doc__ or "")
    return Tool(name, description, function, takes, wants_desk)


class Toolbox:
    """The tools of a session, by name."""

    def __init__(self, paths: list[str]) -> None:
        self._tools = {tool.name: tool for tool in map(load, paths)}

    def schemas(self, transfers: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return what a session is told of them."""
        schemas = [tool.schema() for tool in self._tools.values()]
        for schema in schemas:
            # The model chooses among places we named; it never dials a number.
            if schema["name"] == "transfer":
                schema["parameters"]["properties"]["to"]["enum"] = sorted(transfers)
        return schemas

    async def call(self, name: str, arguments: str, desk: Desk) -> str:
        """Have a tool do its work; return what the model is told of it."""
        tool = self._tools.get(name)
        if tool is None:
            return _error("There is no such tool.")
        try:
            given = msgspec.json.decode(arguments or "{}", type=tool.takes)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            return _error(f"The arguments are wrong: {exc}")
        try:
            async with asyncio.timeout(TOOL_SECONDS):
                return _text(await _called(tool, given, desk))
        except Exception as exc:  # noqa: BLE001 - somebody else's function
            desk.line.report(f"the tool {tool.name} failed: {type(exc).__name__}")
            return _error("The tool failed.")


def _called(tool: Tool, given: msgspec.Struct, desk: Desk) -> Awaitable[Any]:
    arguments = msgspec.structs.asdict(given)
    first = (desk,) if tool.wants_desk else ()
    return tool.function(*first, **arguments)


def _text(returned: Any) -> str:
    text = returned if isinstance(returned, str) else json.dumps(returned, default=str)
    return text[:LONGEST_OUTPUT]


def _error(why: str) -> str:
    return json.dumps({"error": why})


async def hang_up(desk: Desk) -> str:
    """End the call for everybody.

    Use it when the caller has said goodbye or wants to end the call.
    """
    desk.part(lambda: desk.order("hang_up", "The assistant ended the call."))
    return "Say goodbye in one short sentence. The call ends when that was heard."


async def transfer(desk: Desk, to: str) -> str:
    """Transfer the caller to one of the places you know.

    Tell the caller before that you do so.
    """
    target = desk.transfers.get(to)
    if target is None:
        return _error(f"You know only: {', '.join(sorted(desk.transfers))}.")
    await desk.heard()
    arguments = {"target": target}
    if desk.caller_id:
        arguments["caller_id"] = desk.caller_id
    why = "The assistant transferred the caller."
    refusal = await desk.order("transfer", why, **arguments)
    return _error(refusal) if refusal else "The caller is being transferred."
