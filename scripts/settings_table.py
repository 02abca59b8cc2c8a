"""Print the README's table of settings, or put it between the README's markers.

    .venv/bin/python -m scripts.settings_table [--write]

The table comes from what `acsstream.env` was asked for, so it cannot forget a variable.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from acsstream.env import Env, Variable

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"


def declared() -> list[Variable]:
    """Return every variable, in the order in which the settings read them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")
    from acsstream import settings

    env: Env = settings.env
    return list(env.variables.values())


def table(variables: Iterable[Variable]) -> str:
    """Return the Markdown table of `variables`."""
    rows = ["| variable | kind | default | what it is for |", "|---|---|---|---|"]
    for variable in variables:
        default = f"`{variable.default}`" if variable.default else ""
        kind = variable.kind.replace("|", r"\|")
        purpose = variable.purpose.replace("<", r"\<")
        rows.append(f"| `{variable.name}` | {kind} | {default} | {purpose} |")
    return "\n".join(rows)


def written(readme: str, rows: str, markers: tuple[str, str] = (BEGIN, END)) -> str:
    """Return `readme` with the table between its markers."""
    begin, end = markers
    before, _, rest = readme.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"README.md has no {begin} … {end}")
    return f"{before}{begin}\n{rows}\n{end}{after}"


def print_or_write(about: str, rows: str, markers: tuple[str, str]) -> None:
    """Print a table, or with --write put it into the README."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write it into README.md")
    if parser.parse_args().write:
        readme = ROOT / "README.md"
        text = readme.read_text(encoding="utf-8")
        readme.write_text(written(text, rows, markers), "utf-8")
    else:
        print(rows)


def main() -> None:
    """Print the table, or write it."""
    print_or_write(__doc__ or "", table(declared()), (BEGIN, END))


if __name__ == "__main__":
    main()
