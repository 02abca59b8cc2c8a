"""How audit entries are chained: their canonical form, digests and hashes. Pure.

This is version 1 of the form, and docs/audit.md tells strangers how to compute it:
change nothing here that changes a hash.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785

# What the first entry follows.
GENESIS = "0" * 64
# What an entry's digest is of. Its id and its place are in its hash.
DIGESTED = (
    "action",
    "actor",
    "actor_key",
    "address",
    "at",
    "call",
    "details",
    "object_key",
    "object_title",
    "object_type",
)
# Beyond these JSON's numbers are not exact.
EXACT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Head:
    """A place in the chain and the hash there: it stands for all before it."""

    sequence: int
    hash: str


START = Head(0, GENESIS)


def canonical(fields: Mapping[str, Any]) -> bytes:
    """Return the one way to write an entry's `DIGESTED` fields: RFC 8785."""
    return rfc8785.dumps({name: _exact(fields[name]) for name in DIGESTED})


def digest_of(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an entry's canonical form, in hexadecimal digits."""
    return sha256(canonical(fields)).hexdigest()


def hash_of(sequence: int, entry_id: int, previous: str, digest: str) -> str:
    """Return an entry's hash: the SHA-256 of these four, a line feed between them.

    Both databases compute the same in their triggers (migration `audit_chain`).
    """
    text = f"{sequence}\n{entry_id}\n{previous}\n{digest}"
    return sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return JSON as both databases give it back: text keys, lists, no NUL."""
    return json.loads(json.dumps(value).replace("\\u0000", "\\ufffd"))


def _exact(value: Any) -> Any:
    """Return JSON without numbers that JSON cannot hold: they become text."""
    match value:
        case bool():
            return value
        case int() | float() if not -EXACT <= value <= EXACT:
            return str(int(value))
        case dict():
            return {key: _exact(each) for key, each in value.items()}
        case list():
            return [_exact(each) for each in value]
        case _:
            return value
