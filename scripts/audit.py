"""Ask whether a pinned dependency has a known vulnerability; say if nobody answered.

pip-audit exits with 0 and "No known vulnerabilities found" when the advisory database
knew none of the packages, as behind a mirror that has no advisories. That is not an
all-clear, and must not read like one.

Exit code 0: none known, or nobody could be asked (said in capitals, because a build
without network must go on); 1: a vulnerability; 2: pip-audit did not run.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PIP_AUDIT = [
    *(sys.executable, "-m", "pip_audit", "--format", "json", "--timeout", "10"),
    # The pins are complete: nothing is resolved or installed.
    *("--disable-pip", "--no-deps", "--requirement", "requirements-dev.txt"),
]


def main() -> int:
    """Audit, print what was found, return the exit code."""
    ran = subprocess.run(  # noqa: S603 a fixed command
        PIP_AUDIT, cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        rows = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        if "ConnectionError" in ran.stderr or "ServiceError" in ran.stderr:
            rows = []
        else:
            sys.stderr.write(ran.stderr)
            return 2
    code, lines = verdict(rows)
    sys.stdout.write("\n".join(lines) + "\n")
    return code


def verdict(rows: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return exit code and words for what pip-audit told of each dependency."""
    asked = [row for row in rows if "skip_reason" not in row]
    found = list(findings(asked))
    lines = [*found]
    if not asked:
        lines.append("NOT AUDITED: the advisory database could not be asked from here.")
    elif left := len(rows) - len(asked):
        lines.append(f"NOT AUDITED: {left} of {len(rows)} dependencies are unknown.")
    if asked:
        lines.append(f"{len(asked)} dependencies, {len(found)} known vulnerabilities.")
    return (1 if found else 0), lines


def findings(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each known vulnerability."""
    for row in rows:
        for one in row["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no release yet"
            yield f"{row['name']} {row['version']}: {one['id']}, mended in {mended}"


if __name__ == "__main__":
    sys.exit(main())
