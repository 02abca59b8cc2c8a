"""Raw ids and the identifier objects that callbacks and responses carry."""

import uuid
from typing import Any


def identifier(raw_id: str) -> dict[str, Any]:
    """Return a raw id as the wire's identifier object, with its kind."""
    if raw_id.startswith("4:"):
        number = raw_id.removeprefix("4:")
        return {
            "kind": "phoneNumber",
            "rawId": raw_id,
            "phoneNumber": {"value": number},
        }
    if raw_id.startswith("8:orgid:"):
        user = {"userId": raw_id.removeprefix("8:orgid:"), "isAnonymous": False}
        return {
            "kind": "microsoftTeamsUser",
            "rawId": raw_id,
            "microsoftTeamsUser": {**user, "cloud": "public"},
        }
    if raw_id.startswith("8:"):
        return {
            "kind": "communicationUser",
            "rawId": raw_id,
            "communicationUser": {"id": raw_id},
        }
    return {"kind": "unknown", "rawId": raw_id}


def raw_id_of(item: Any) -> str | None:
    """Return the raw id of an identifier object as a client sends it, or None."""
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("rawId"), str):
        return str(item["rawId"])
    match item:
        case {"phoneNumber": {"value": str(number)}}:
            return f"4:{number}"
        case {"communicationUser": {"id": str(user)}}:
            return user
        case {"microsoftTeamsUser": {"userId": str(user)}}:
            return f"8:orgid:{user}"
        case _:
            return None


def new_user(resource_id: str) -> str:
    """Return the raw id of a new user of the resource."""
    return f"8:acs:{resource_id}_{uuid.uuid4()}"
