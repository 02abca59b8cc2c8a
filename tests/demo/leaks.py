"""Finds in texts what no log may hold: secrets, numbers, words, keys, audio."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

# Whatever holds one of these is no text for a log, whoever's it is.
FORMS = {
    "token": re.compile(r"eyJ[\w-]{8,}\.[\w-]+"),
    "bearer": re.compile(r"(?i)bearer\s+[\w.-]{8,}"),
    "secret in a path": re.compile(
        r"/(?:media|transcription|webhooks/calls)/(?!\*\*\*)[\w-]{12,}"
    ),
    "audio": re.compile(r"[A-Za-z0-9+/]{160,}"),
    "keys": re.compile(r'4711#|"tone"|\b(?:four|seven)\b.{0,40}\b(?:one|pound)\b'),
    "context": re.compile(r"(?i)incoming_?call_?context\W{1,4}\w{16}"),
}
SECRETS = (
    "SECRET_KEY",
    "ACSSTREAM_ACS_ACCESS_KEY",
    "ACSSTREAM_EVENTGRID_SECRET",
    "ACSSTREAM_REALTIME_KEY",
)
GAP = r"(?:[ ().-]|%20){0,2}"


def leaks_in(text: str, planted: Mapping[str, str]) -> list[str]:
    """Return what is in `text`: names of `planted` texts and of `FORMS`.

    What is named "number …" is found however it is written.
    """
    found = [name for name, form in FORMS.items() if form.search(text)]
    for name, value in planted.items():
        if name.startswith("number"):
            national = re.sub(r"\D", "", value)[-10:]
            form = r"(?<!\d)(?:1)?" + GAP.join(national) + r"(?!\d)"
        else:
            form = re.escape(value)
        if re.search(form, text):
            found.append(name)
    return found


def environment_of(pid: int) -> dict[str, str]:
    """Return the secrets in the environment of a process."""
    raw = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")
    pairs = dict(pair.partition("=")[::2] for pair in raw.split("\0"))
    return {name: pairs[name] for name in SECRETS if pairs.get(name)}


def personal_of(database: Path) -> dict[str, str]:
    """Return the numbers, names and words that a demo's database holds."""
    with closing(sqlite3.connect(database)) as opened:

        def column(sql: str) -> Iterator[str]:
            yield from {text for (text,) in opened.execute(sql) if text}

        numbers = column(
            "SELECT from_raw_id FROM calls_call UNION SELECT to_raw_id FROM calls_call"
            " UNION SELECT raw_id FROM calls_participant"
        )
        found = {
            f"number {raw}": raw for raw in numbers if re.fullmatch(r"4:\+\d+", raw)
        }
        names = column("SELECT caller_name FROM calls_call")
        words = column("SELECT text FROM calls_transcriptsegment")
        found |= {f"name {name}": name for name in names}
        return found | {f"words {text}": text for text in words}


def contexts_kept(database: Path) -> list[str]:
    """Return the tables that still hold a right to answer a call: any text of it."""
    with closing(sqlite3.connect(database)) as opened:
        dump = [line for line in opened.iterdump() if "eyJ" in line]
    return sorted({line.split('"')[1] for line in dump})


def pages_of(address: str, secret: str) -> dict[str, str]:
    """Return what a console says to a scraper and to strangers who say too much."""
    number = "+12065550100"
    asked = {
        "/metrics": None,
        "/readyz": None,
        f"/nowhere/{number}?secret={secret}": None,
        f"/webhooks/eventgrid?secret=no{secret}": b'{"incomingCallContext": "eyJhb.x"}',
        f"/webhooks/calls/{secret}": f'[{{"rawId": "4:{number}"'.encode(),
        f"/webhooks/eventgrid?secret={secret}": f'[{{"to": "4:{number}"'.encode(),
    }
    return {path: _said(f"{address}{path}", body) for path, body in asked.items()}


def _said(url: str, body: bytes | None) -> str:
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 the demo's own
            return str(answer.read().decode())
    except HTTPError as exc:
        with exc:
            return exc.read().decode()
