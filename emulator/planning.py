"""Plans of calls, read from the control API's JSON."""

from typing import Any

from emulator.calls import Action, Plan
from emulator.faults import Faults
from emulator.frames import TONES
from emulator.options import Behaviour, OptionError, Settings
from emulator.restfaults import FaultError, RestFault

STRIDE = 7.3
"""Seconds by which each call begins further into the conversation than the last."""
KNOWN = {
    "from",
    "to",
    "participants",
    "display_name",
    "duration",
    "script",
    "actions",
    "options",
    "faults",
}
ACTIONS: dict[str, dict[str, Any]] = {
    "hangup": {"wait": bool},
    "redial": {"delay": float, "abrupt": bool, "code": int},
    "dtmf": {"tones": str, "participant": str},
    "join": {"participant": str},
    "leave": {"participant": str},
}
"""What may happen in a call, and the arguments it takes."""


class PlanError(Exception):
    """A request that cannot be understood; the message says why."""


def parse_plan(
    body: dict[str, Any],
    *,
    number: int,
    settings: Settings,
    behaviour: Behaviour,
    standing_faults: Faults | None = None,
    seconds: float,
    parties: int,
) -> Plan:
    """Return the plan of a call. Raises `PlanError`.

    `number` counts calls from 1 and picks phone numbers and the place in the
    conversation (`seconds` long, of so many `parties`) where nothing else is said.
    With more parties than participants, every call speaks other ones.
    """
    if unknown := body.keys() - KNOWN:
        raise PlanError(f"not understood: {', '.join(sorted(unknown))}")
    caller = _text(body, "from", f"4:+1206555{100 + number % 100:04d}")
    # A number that begins with 555-01 is fictional by convention.
    agent = f"8:acs:{settings.resource_id}_{number:08x}-0000-4000-8000-0000000a9e17"
    participants = _raw_ids(body.get("participants", [caller, agent][:parties]))
    more_parties = parties > len(participants)
    usual_party = (number - 1) * len(participants) if more_parties else 0
    script = _object(body, "script")
    if unknown := script.keys() - {"offset", "loop", "party"}:
        raise PlanError(f"script: not understood: {', '.join(sorted(unknown))}")
    duration = body.get("duration")
    try:
        options = Behaviour.parse(_object(body, "options"), base=behaviour)
        faults = Faults.parse(_object(body, "faults"), base=standing_faults)
    except OptionError as exc:
        raise PlanError(f"options and faults: {exc}") from exc
    return Plan(
        caller=caller,
        recipient=_text(body, "to", "4:+18005550199"),
        participants=participants,
        display_name=_text(body, "display_name", ""),
        duration=None if duration is None else _number(duration, "duration"),
        loop=bool(script.get("loop", True)),
        offset=_number(
            script.get("offset", (number - 1) * STRIDE % seconds), "script.offset"
        ),
        first_party=_party(script, usual_party, parties),
        actions=tuple(parse_action(each) for each in _list(body, "actions")),
        behaviour=options,
        faults=faults,
    )


def parse_action(body: Any) -> Action:
    """Return one action. Raises `PlanError`."""
    if not isinstance(body, dict) or str(body.get("do")) not in ACTIONS:
        raise PlanError(f"do: must be one of {', '.join(sorted(ACTIONS))}")
    known = ACTIONS[body["do"]]
    arguments = {}
    for name, value in body.items():
        if name in ("at", "do"):
            continue
        if name not in known:
            raise PlanError(f"{body['do']}: not understood: {name}")
        arguments[name] = _argument(value, known[name], name)
    if not set(arguments.get("tones", "")) <= TONES:
        raise PlanError("tones: only 0-9 * # A-D")
    return Action(_number(body.get("at", 0), "at"), body["do"], arguments)


def _raw_ids(value: Any) -> tuple[str, ...]:
    texts = isinstance(value, list) and all(
        isinstance(each, str) and each for each in value
    )
    if not texts or not value:
        raise PlanError("participants: must be a list of raw ids")
    if len(set(value)) != len(value):
        raise PlanError("participants: each raw id may be there once")
    return tuple(value)


def _party(script: dict[str, Any], usual: int, parties: int) -> int:
    party = script.get("party", usual)
    if isinstance(party, bool) or not isinstance(party, int) or party < 0:
        raise PlanError("script.party: must be the number of a party, from 0")
    return party % parties


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise PlanError(f"{name}: must be a list")
    return value


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise PlanError(f"{name}: must be an object")
    return value


REST_FAULT: dict[str, type] = {
    "operation": str,
    "status": int,
    "times": int,
    "retry_after": int,
    "delay": float,
    "lost": str,
    "call": str,
}
"""The members of a failure of the REST API."""


def parse_rest_fault(body: dict[str, Any]) -> RestFault:
    """Return a failure of the REST API. Raises `PlanError`."""
    if unknown := body.keys() - REST_FAULT.keys():
        raise PlanError(f"not understood: {', '.join(sorted(unknown))}")
    if "operation" not in body:
        raise PlanError("operation: is needed")
    given = {name: _argument(body[name], REST_FAULT[name], name) for name in body}
    try:
        return RestFault(**given)
    except FaultError as exc:
        raise PlanError(str(exc)) from exc


def _argument(value: Any, kind: type, name: str) -> Any:
    if kind is float:
        return _number(value, name)
    wrong_kind = isinstance(value, bool) and kind is not bool
    if wrong_kind or not isinstance(value, kind):
        raise PlanError(f"{name}: must be {kind.__name__}")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise PlanError(f"{name}: must be a number of seconds")
    return float(value)


def _text(body: dict[str, Any], name: str, default: str) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise PlanError(f"{name}: must be text")
    return value
