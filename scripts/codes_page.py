"""Print docs/codes.md, the page of ACS's codes in words, or write it.

    .venv/bin/python -m scripts.codes_page [--write]

The page comes from `calls.words`, so it says what the console says.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from calls.words import TABLE, Block

PAGE = Path(__file__).resolve().parent.parent / "docs" / "codes.md"
HEAD = """# ACS's codes in words

What the console says where ACS gives a status, a number of its own (`status/number`) or
the name of a detail. `*` stands for any status. Codes that are not here are shown raw.
No full list was ever published: each table says how sure its meanings are, and where
they come from. A number of ACS's own says more than a detail, and a detail more than a
status; the same code may mean another thing in another place.

Made from `calls/words/` by `python -m scripts.codes_page --write`; edit that.
"""


def page(table: Iterable[Block]) -> str:
    """Return the Markdown page of a table."""
    return "\n".join([HEAD, *map(_section, table)])


def _section(block: Block) -> str:
    rows = [
        f"## {block.title}",
        "",
        f"Said {block.said}. How sure: {block.proof}. Source: {block.source}.",
        "",
        "| code | what happened | what to do |",
        "|---|---|---|",
    ]
    for code, words in block.entries.items():
        shown = f"*/{code.subcode}" if code.code is None and code.subcode else str(code)
        rows.append(f"| `{shown}` | {words.sentence} | {words.advice} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Print the page, or write it."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--write", action="store_true", help=f"write it to {PAGE.name}")
    text = page(TABLE)
    if parser.parse_args().write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
