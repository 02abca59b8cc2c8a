#!/usr/bin/env python3
"""Check, without a network, that the pinned requirements agree with pyproject.toml.

Exit status 1 and one line per disagreement; `make lock` mends them all.
"""

import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
Pins = dict[str, set[str]]


def pins(text: str) -> Pins:
    """Return each package's pinned versions: several, when markers tell them apart."""
    found: Pins = {}
    for line in text.splitlines():
        stated = line.split("#")[0].strip()
        if stated:
            requirement = Requirement(stated)
            versions = {clause.version for clause in requirement.specifier}
            found.setdefault(canonicalize_name(requirement.name), set()).update(
                versions
            )
    return found


def disagreements(asked: Iterable[str], pinned: Pins, file: str) -> Iterator[str]:
    """Yield what is asked for and not pinned, or pinned outside of its bounds."""
    for text in asked:
        requirement = Requirement(text)
        versions = pinned.get(canonicalize_name(requirement.name), set())
        if not versions:
            yield f"{file}: {requirement.name} is not pinned"
        for version in versions:
            if not requirement.specifier.contains(version, prereleases=True):
                yield f"{file}: {requirement.name} {version} is not {text}"


def main() -> int:
    """Compare the files of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked: list[str] = project["dependencies"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    runtime = "requirements.txt"
    pinned = pins((ROOT / runtime).read_text())
    wrong = list(disagreements(asked, pinned, runtime))
    for extra in ("otel", "dev"):
        file = f"requirements-{extra}.txt"
        more = pins((ROOT / file).read_text())
        wrong += disagreements([*asked, *extras[extra]], more, file)
        wrong += (
            f"{file}: {name} is not pinned as in {runtime}"
            for name, versions in pinned.items()
            if more.get(name) != versions
        )
    print("\n".join(wrong) or "requirements*.txt agree with pyproject.toml")
    if wrong:
        print("Run `make lock`.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
