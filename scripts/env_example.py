"""Print .env.example with the purpose of each setting above it, or write it.

    .venv/bin/python -m scripts.env_example [--write]

Which settings stand where, and with what values, is the file's own. The comments come
from what `acsstream.env` was asked for, as the README's table does, and from `NOTES`.
"""

import argparse
import re
from collections.abc import Iterable
from textwrap import wrap

from acsstream.env import Variable
from scripts.settings_table import ROOT, declared

EXAMPLE = ROOT / ".env.example"
# Behind it settings are repeated, for the emulator.
EMULATOR = "# --- Without an Azure account"
ENTRY = re.compile(r"^(?:# (?!---).*\n)*(#?([A-Z_]+)=.*)$", flags=re.MULTILINE)
WIDTH = 88
# What is of use to whoever fills the file in, and too long for a table.
NOTES = {
    "SECRET_KEY": "A long random text, the same on every machine."
    ' python3 -c "import secrets; print(secrets.token_urlsafe(64))"',
    "ACSSTREAM_ACS_ACCESS_KEY": "Azure portal, the resource, Keys.",
    "ACSSTREAM_TRUSTED_PROXIES": "A proxy on this machine reaches the containers from"
    " an address of Docker's own network; their ports are open to this machine alone.",
    "ACSSTREAM_DATA_DIR": "docker-compose.yml: /data, whatever stands here.",
    "DATABASE_URL": "docker-compose.yml: its own PostgreSQL, unless another is named"
    " here.",
    "REDIS_URL": "docker-compose.yml: its own Redis, unless another is named here.",
    "ACSSTREAM_NODE": "docker-compose.yml: node-1.",
}


def example(text: str, variables: Iterable[Variable]) -> str:
    """Return `text`, a file such as .env.example, with the comments it should have.

    What is no setting of ours keeps its comment.
    """
    known = {variable.name: variable for variable in variables}
    general, emulator, rest = text.partition(EMULATOR)

    def commented(entry: re.Match[str]) -> str:
        line, name = entry.groups()
        return "\n".join([*comment(known[name]), line]) if name in known else entry[0]

    return f"{ENTRY.sub(commented, general)}{emulator}{rest}"


def comment(variable: Variable) -> list[str]:
    """Return the lines of comment of a setting."""
    words = " ".join(filter(None, [variable.purpose, NOTES.get(variable.name)]))
    lines = wrap(words, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    if " | " in variable.kind:
        lines.append(f"One of: {variable.kind.replace(' |', ',')}.")
    return [f"# {line}" for line in lines]


def main() -> None:
    """Print the file, or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write .env.example")
    text = example(EXAMPLE.read_text(encoding="utf-8"), declared())
    if parser.parse_args().write:
        EXAMPLE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
