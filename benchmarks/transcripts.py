"""What searching transcripts costs the server, at a million pieces of them.

    python -m benchmarks.transcripts [--calls 100000] [--segments 10] [--json]

A PostgreSQL of its own is filled with synthetic calls of so many pieces each, whose
words are as unevenly common as words are; then each page is asked for many times, as
`benchmarks.archive` does, and is held against the same bar.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.archive import BAR_MS, LIST, ROUNDS, TUNING, Page, measured, table

# Words in every tenth piece, in one of a hundred, of a thousand, of so many of all.
COMMON, USUAL, SELDOM, RARE = "please", "refund", "cheque", "zeppelin"
WORDS = 20_000
# Twelve words each: the n-th most common word is an n-th as common as the first.
SEGMENTS = """
INSERT INTO calls_transcriptsegment (
    id, call_id, raw_id, source, start_us, duration_us, text, words, confidence,
    sentiment, language, is_cut, raw
)
SELECT gen_random_uuid(), call.id, call.from_raw_id, 'acs',
    (extract(epoch FROM call.rang_at) * 1e6)::bigint + s * 5000000, 4000000,
    concat_ws(' ', said.words,
        CASE WHEN random() < 0.1 THEN %(common)s END,
        CASE WHEN random() < 0.01 THEN %(usual)s END,
        CASE WHEN random() < 0.001 THEN %(seldom)s END,
        CASE WHEN random() < 0.00001 THEN %(rare)s END),
    '[]', 0.9, '', 'en-US', false, '{}'
FROM calls_call AS call, generate_series(1, %(segments)s) AS s,
LATERAL (
    SELECT string_agg('w' || (%(words)s ^ random())::int, ' ') AS words
    FROM generate_series(1, 12) AS w WHERE s > 0 AND call.id IS NOT NULL
) AS said
"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and address of every page that is measured."""
    queries = {
        "common": COMMON,
        "usual": USUAL,
        "seldom": SELDOM,
        "rare": RARE,
        "most common": "w1",
        "nothing like it": "nobodysaidthat",
        "phrase, common": "%22w1+w2%22",
        "phrase, seldom": f"%22w7+{SELDOM}%22",
        "two words": f"{COMMON}+{USUAL}",
        "not": f"{USUAL}+-{COMMON}",
        "begin": "zep*",
        "begin, common": "w1*",
    }
    for name, query in queries.items():
        yield f"words said: {name}", f"{LIST}said/?q={query}"
    for name, query in queries.items():
        yield f"archive: {name}", f"{LIST}?said={query}"
    yield "words said: common, page 40", f"{LIST}said/?q={COMMON}&p=40"
    yield "archive: usual, 30 days", f"{LIST}?said={USUAL}&when=30"
    yield "archive: common, failed", f"{LIST}?said={COMMON}&state__exact=failed"
    yield "archive: common, sorted", f"{LIST}?said={COMMON}&sort=-length"


def segments_fill(segments: int) -> None:
    """Give every call so many pieces."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(
            SEGMENTS,
            {
                "segments": segments,
                "words": WORDS,
                "common": COMMON,
                "usual": USUAL,
                "seldom": SELDOM,
                "rare": RARE,
            },
        )
        cursor.execute("UPDATE calls_call SET has_transcript = true")
        cursor.execute("VACUUM ANALYZE")


def measure_all(options: argparse.Namespace) -> Iterator[Page]:
    """Yield every page that is asked for, measured."""
    from django.contrib.auth.models import User
    from django.test import Client

    from benchmarks.archive import explain

    client = Client()
    client.force_login(User.objects.get(username="bench"))
    client.get(LIST)
    gc.collect()
    gc.freeze()
    for name, address in pages():
        if options.only not in name:
            continue
        one = measured(client, name, address, options.rounds)
        if options.explain and not one.is_kept:
            sys.stderr.write(f"=== {name}\n")
            explain(address, client)
        yield one


def run(options: argparse.Namespace) -> int:
    """Measure in this process, whose settings name the database."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from benchmarks.archive_fill import fill
    from calls.models import Call, TranscriptSegment

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0, skip_checks=True)
    if not Call.objects.exists():
        fill(options.calls)
        segments_fill(options.segments)
    found = list(measure_all(options))
    if options.json:
        rows = [asdict(one) | {"is_kept": one.is_kept} for one in found]
        document = {
            "calls": Call.objects.count(),
            "segments": TranscriptSegment.objects.count(),
            "bar_ms": BAR_MS,
            "pages": rows,
        }
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        sys.stdout.write(table(found))
    return 0 if all(one.is_kept for one in found) else 1


def main() -> int:
    """Start a PostgreSQL, unless DATABASE_URL names one, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--calls", type=int, default=100_000)
    add("--segments", type=int, default=10, help="pieces of transcript of each call")
    add("--rounds", type=int, default=ROUNDS, help="how often each page is asked for")
    add("--only", default="", help="pages whose name contains this")
    add("--explain", action="store_true", help="print plans of what is over the bar")
    add("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")
    if os.environ.get("DATABASE_URL"):
        return run(options)
    from tests.postgres import postgres_server

    with (
        postgres_server(**TUNING) as server,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        os.environ["DATABASE_URL"] = server.url
        os.environ["ACSSTREAM_DATA_DIR"] = str(Path(folder))
        return run(options)


if __name__ == "__main__":
    sys.exit(main())
