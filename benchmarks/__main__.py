"""`make bench`: run the benchmarks and print what each step costs, with ratios.

Absolute figures belong to the machine and its mood; compare the ratios.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable

from benchmarks import finishing, receiving

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")

BENCHMARKS: dict[str, Callable[[], dict[str, float]]] = {
    "receiving": receiving.measure,
    "finishing": finishing.measure,
}


def main() -> int:
    """Run the named benchmarks, or all of them; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        help=f"which: {', '.join(BENCHMARKS)} (default: all). The journal alone, paced,"
        " in detail: python -m benchmarks.journal",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    results = {}
    for name in options.names or BENCHMARKS:
        results[name] = BENCHMARKS[name]()
        if not options.json:
            _print(name, results[name])
    if options.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return 0


def _print(name: str, figures: dict[str, float]) -> None:
    sys.stdout.write(f"{name}\n")
    for label, value in figures.items():
        sys.stdout.write(f"  {label:<62}{value:>12,.2f}\n")


if __name__ == "__main__":
    sys.exit(main())
