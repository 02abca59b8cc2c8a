"""Settings from environment variables, parsed strictly.

Every variable the project reads is read through one `Env`, which remembers name, kind,
default and purpose: the README's table is tested against that memory, and a
misspelt value is refused at start-up with every problem listed at once.

Every variable may come from a file, as secrets do: with
`SECRET_KEY_FILE=/run/secrets/key` the variable `SECRET_KEY` has that file's text.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


class Secret(str):
    """A text that `repr` does not show: settings are printed by many."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: what `Env` was asked for."""

    name: str
    kind: str
    default: str
    purpose: str


class Env:
    """Typed reads of a mapping of strings. Problems are collected, not raised.

    Call `finish()` after the last read: it raises `ImproperlyConfigured` naming every
    unreadable value, so that an operator mends them in one go.
    """

    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self.variables: dict[str, Variable] = {}
        self.problems: list[str] = []

    def text(
        self, name: str, default: str = "", *, shown: str = "", purpose: str
    ) -> str:
        """Return the text of `name`.

        `shown` is the default as the README writes it, where machines differ in it.
        """
        self._declare(name, "text", shown or default, purpose)
        return self._raw(name) or default

    def secret(
        self, name: str, default: str = "", *, shown: str = "", purpose: str
    ) -> Secret:
        """Return the text of `name`, which is nobody's business."""
        self._declare(name, "secret", shown or default, purpose)
        return Secret(self._raw(name) or default)

    def flag(self, name: str, default: bool, *, purpose: str) -> bool:
        """Return a truth value; all but 1/0, true/false, yes/no, on/off is refused."""
        self._declare(name, "flag", str(default).lower(), purpose)
        raw = self._raw(name).lower()
        if not raw:
            return default
        if raw in TRUE or raw in FALSE:
            return raw in TRUE
        self.problems.append(f"{name}: {raw!r} is neither true nor false")
        return default

    def number(
        self,
        name: str,
        default: float,
        *,
        purpose: str,
        least: float = 0,
        most: float = sys.float_info.max,
    ) -> float:
        """Return a number that is at least `least` and at most `most`."""
        self._declare(name, "number", str(default), purpose)
        raw = self._raw(name)
        if not raw:
            return default
        try:
            value = float(raw)
        except ValueError:
            self.problems.append(f"{name}: {raw!r} is not a number")
            return default
        if not least <= value < float("inf"):
            self.problems.append(f"{name}: {raw} is less than {least:g} or not finite")
            return default
        if value > most:
            self.problems.append(f"{name}: {raw} is more than {most:g}")
            return default
        return value

    def whole(self, name: str, default: int, *, purpose: str, least: int = 0) -> int:
        """Return a whole number that is at least `least`."""
        value = self.number(name, default, purpose=purpose, least=least)
        if value != int(value):
            self.problems.append(f"{name}: {value} is not a whole number")
            return default
        return int(value)

    def choice(
        self, name: str, default: str, choices: Sequence[str], *, purpose: str
    ) -> str:
        """Return one of `choices`."""
        self._declare(name, " | ".join(choices), default, purpose)
        raw = self._raw(name) or default
        if raw in choices:
            return raw
        self.problems.append(f"{name}: {raw!r} is not one of {', '.join(choices)}")
        return default

    def words(
        self, name: str, default: str = "", *, shown: str = "", purpose: str
    ) -> list[str]:
        """Return the comma-separated words of `name`."""
        self._declare(name, "list", shown or default, purpose)
        raw = self._raw(name) or default
        return [word.strip() for word in raw.split(",") if word.strip()]

    def networks(self, name: str, *, purpose: str) -> list[str]:
        """Return the comma-separated IP addresses and networks of `name`."""
        listed = self.words(name, purpose=purpose)
        for each in listed:
            try:
                ip_network(each, strict=False)
            except ValueError:
                self.problems.append(f"{name}: {each!r} is no address and no network")
        return listed

    def path(self, name: str, default: Path, *, shown: str, purpose: str) -> Path:
        """Return an absolute path. `shown` is the default as the README writes it."""
        self._declare(name, "path", shown, purpose)
        raw = self._raw(name)
        return Path(raw).expanduser().resolve() if raw else default

    def json(self, name: str, *, purpose: str) -> dict[str, Any]:
        """Return the JSON object of `name`, `{}` when it is not set.

        Its texts are secrets: keys, connection strings.
        """
        self._declare(name, "JSON object", "{}", purpose)
        raw = self._raw(name)
        if not raw:
            return {}
        try:
            value = json.loads(raw, object_hook=_secrets)
        except ValueError as exc:
            self.problems.append(f"{name}: not JSON: {exc}")
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"{name}: not a JSON object")
            return {}
        return value

    def database(
        self, name: str, default: str, *, shown: str = "", purpose: str
    ) -> dict[str, Any]:
        """Return Django's settings of the database that the URL in `name` names."""
        self._declare(name, "URL", shown or default, purpose)
        raw = self._raw(name) or default
        try:
            return database_from_url(raw)
        except ValueError as exc:
            self.problems.append(f"{name}: {exc}")
            return database_from_url("sqlite://:memory:")

    def finish(self) -> None:
        """Raise `ImproperlyConfigured` if any value could not be read."""
        if self.problems:
            listed = "\n  ".join(self.problems)
            message = f"These environment variables cannot be read:\n  {listed}"
            raise ImproperlyConfigured(message)

    def unknown(self, prefix: str) -> dict[str, str]:
        """Return what is set, starts with `prefix` and was never asked for.

        Each with the variable that was probably meant, or "".
        """
        known = {*self.variables, *(f"{name}_FILE" for name in self.variables)}
        strange = (name for name in self._source if name.startswith(prefix))
        return {
            name: next(iter(get_close_matches(name, known, 1)), "")
            for name in strange
            if name not in known
        }

    def _raw(self, name: str) -> str:
        """Return the text of `name`, or of the file that `name_FILE` names, stripped.

        An empty variable is one that is not set: env files are full of `NAME=`.
        """
        value = self._source.get(name, "").strip()
        path = self._source.get(f"{name}_FILE", "").strip()
        if not path:
            return value
        if value:
            self.problems.append(f"{name}: set, and {name}_FILE is set too")
            return value
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
            # What is no path may be the secret itself, put into the wrong variable.
            which = path if path.startswith(("/", ".", "~")) else "it: no absolute path"
            self.problems.append(f"{name}_FILE: cannot read {which}: {reason}")
            return ""

    def _declare(self, name: str, kind: str, default: str, purpose: str) -> None:
        self.variables[name] = Variable(name, kind, default, purpose)


def _secrets(told: dict[str, Any]) -> dict[str, Any]:
    return {
        name: Secret(value) if isinstance(value, str) else value
        for name, value in told.items()
    }


def database_from_url(url: str) -> dict[str, Any]:
    """Return the Django settings for `sqlite:///path` or `postgresql://user:pw@host/db`.

    Query parameters become `OPTIONS`, PostgreSQL's on top of `PATIENCE`. Raises
    `ValueError` with what is wrong; the message never repeats any of the URL, which
    holds a password.
    """
    if url.startswith("sqlite://"):
        return sqlite(url.removeprefix("sqlite://"))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Python's message quotes what it took for the port: half a password, say.
        raise ValueError(f"the URL cannot be taken apart; {ODD_CHARACTERS}") from None
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError("the URL must start with sqlite:/// or postgresql://")
    if parts.fragment or "@" in parts.path + parts.query:
        raise ValueError(f"the URL ends too early; {ODD_CHARACTERS}")
    if not parts.path.strip("/"):
        raise ValueError("the URL names no database")
    return postgresql(parts, port)


ODD_CHARACTERS = "write odd characters of the password as %40 for @, %23 for #, …"


# libpq waits for ever by default. A server that vanishes without a word (a cable, a
# firewall) is found out by these, in seconds, whether we connect, send or wait.
PATIENCE = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    # Milliseconds.
    "tcp_user_timeout": "30000",
}


def postgresql(parts: SplitResult, port: int | None) -> dict[str, Any]:
    """Return settings for PostgreSQL; `?host=/folder` names a Unix socket's folder."""
    options: dict[str, Any] = PATIENCE | dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": Secret(unquote(parts.password or "")),
        "HOST": host,
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def sqlite(path: str) -> dict[str, Any]:
    """Return settings for SQLite as several processes need it.

    WAL lets readers go on while one writes; IMMEDIATE takes the write lock at BEGIN,
    where the busy timeout applies (a deferred transaction that upgrades later fails at
    once with "database is locked"). Raises `ValueError`.
    """
    if path != ":memory:" and not path.startswith("/"):
        raise ValueError("an SQLite URL has three slashes and an absolute path")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path if path == ":memory:" else Path(path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                " PRAGMA cache_size=-16000;"
            ),
        },
    }
