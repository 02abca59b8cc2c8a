"""`make archive-bench`: what the archive's pages cost the server at a million calls.

    python -m benchmarks.archive [--calls 1000000] [--rounds 20] [--json]

A PostgreSQL of its own is filled with synthetic calls; then each page is asked for many
times, through the whole of Django, in this process: URL, session, permissions, queries,
template. Network and browser have no part in it. "wall" is what a clock says, "busy" is
what processors spent, ours and PostgreSQL's together: on a machine that others use,
too, a page waits for a processor, and only the second says what the page costs. The bar
is about "busy" where the kernel tells it, and about "wall" elsewhere.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BAR_MS = 150.0
LIST = "/admin/calls/call/"
ROUNDS = 20
# As a server of 16 GB has it: what a million calls are read from stays in memory. No
# query is shared out among processors, so that each shows what it costs.
TUNING = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "max_wal_size": "8GB",
    "max_parallel_workers_per_gather": "0",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page measured: its times in ms, how many queries, how many rows."""

    name: str
    wall_p50: float
    wall_p95: float
    busy_p50: float
    busy_p95: float
    queries: int
    rows: str

    @property
    def is_kept(self) -> bool:
        """Say whether it is within the bar."""
        return (self.busy_p95 or self.wall_p95) <= BAR_MS


def pages(facts: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield name and address of every page that is measured."""
    yield "first page", LIST + "?view=all"
    yield "first page, 100 rows", LIST + "?rows=100"
    yield "page 20", LIST + "?rows=50&p=20"
    yield "page 200, the last", LIST + "?p=200"
    for query in (
        "when=today", "when=yesterday", "when=7", "when=14", "when=30",
        "rang_at_from_0={old_day}&rang_at_to_0={old_day}", "live=yes", "live=no",
        "direction__exact=outbound", "state__exact=failed", "state__exact=connected",
        "streaming_state__exact=failed", "archive_state__exact=failed",
        "duration_from=30:00", "duration_from=20:00", "duration_to=7",
        "duration_from=60&duration_to=120", "silence_from=84.9", "silence_to=16",
        "silence_from=50&silence_to=51", "complete=no", "complete=under99",
        "complete=yes", "complete=unknown", "alarm=any", "alarm=warning",
        "alarm=critical", "alarm=none", "alarm_kind=dead_air", "alarm_kind=stalled",
        "tag={tag_common}", "tag={tag_rare}", "rating=1", "rating=5", "rating=low",
        "rating=any", "rating=none", "follow_up=any", "follow_up=mine",
        "follow_up=nobody", "follow_up=no", "profile__id__exact={profile_common}",
        "profile__id__exact={profile_rare}", "transcript=yes", "transcript=no",
        "party={number}", "party={name}", "person={number}", "person={surname}",
    ):  # fmt: skip
        yield query, f"{LIST}?{query}"
    for name, term in (
        ("number", "{number}"), ("end of a number", "{tail}"),
        ("middle of a number", "{middle}"), ("number, grouped", "{grouped}"),
        ("number of ours", "18005550000"), ("common digits", "555"),
        ("no such number", "99999999999"), ("name", "{name}"), ("surname", "{surname}"),
        ("no such name", "Zzyzx"), ("call id", "{id}"),
        ("begin of a call id", "{short}"),
        ("connection id", "{connection_id}"), ("correlation id", "{correlation_id}"),
        ("server call id", "{server_call_id}"),
        ("no such id", "00000000-dead-beef-0000-000000000000"),
    ):  # fmt: skip
        yield f"search: {name}", f"{LIST}?q={term}"
    for column in (
        "rang", "parties", "length", "people", "silence", "complete", "alarms",
        "rating",
    ):  # fmt: skip
        yield f"sort: {column}", f"{LIST}?sort={column}"
        yield f"sort: -{column}", f"{LIST}?sort=-{column}"
    for query in (
        "when=7&complete=no", "when=30&alarm=critical&sort=-length",
        "when=30&direction__exact=inbound&duration_from=5:00",
        "complete=no&live=no", "tag={tag_common}&rating=low",
        "profile__id__exact={profile_rare}&alarm=any&sort=-silence",
        "q={surname}&when=30", "q={surname}&complete=no",
        "q={tail}&state__exact=failed",
        "silence_from=80&duration_from=10:00&complete=yes", "sort=-length&complete=no",
        "sort=-silence&direction__exact=outbound", "alarm_kind=gaps&when=14",
        "transcript=yes&rating=any&follow_up=no",
    ):  # fmt: skip
        yield query, f"{LIST}?{query}"
    yield "page of a call", LIST + "{id}/change/"
    yield "list of recordings", "/admin/calls/recording/"
    yield "list of participants", "/admin/calls/participant/"
    yield "list of tracks", "/admin/calls/track/"


def facts_of() -> dict[str, str]:
    """Return what is in the archive, to be looked for."""
    from calls.models import Call, StreamingProfile, Tag

    call = Call.objects.exclude(caller_name="").filter(state="ended")[5_000]
    digits = call.from_raw_id.removeprefix("4:+")
    old = Call.objects.order_by("rang_at")[Call.objects.count() // 20]
    return {
        "id": str(call.pk),
        "short": str(call.pk)[:8],
        "connection_id": str(call.connection_id),
        "correlation_id": call.correlation_id,
        "server_call_id": call.server_call_id,
        "number": digits,
        "tail": digits[-7:],
        "middle": digits[3:9],
        "grouped": f"%2B{digits[0]}+({digits[1:4]})+{digits[4:7]}-{digits[7:]}",
        "name": call.caller_name.replace(" ", "+"),
        "surname": call.caller_name.split()[-1],
        "old_day": f"{old.rang_at:%Y-%m-%d}",
        "tag_common": str(Tag.objects.get(name="billing").pk),
        "tag_rare": str(Tag.objects.get(name="training").pk),
        "profile_common": str(StreamingProfile.objects.get(name="Front desk").pk),
        "profile_rare": str(StreamingProfile.objects.get(name="Test line").pk),
    }


def measured(client: Any, name: str, address: str, rounds: int) -> Page:
    """Ask for a page `rounds` times, after once for nothing."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
    # Now: the next request forgets them.
    asked = len(queries)
    if response.status_code != 200:
        raise RuntimeError(f"{address} answered {response.status_code}")
    listed = response.context and response.context.get("cl")
    wall, busy = [], []
    for _ in range(rounds):
        began, worked = time.perf_counter(), processors()
        client.get(address)
        wall.append((time.perf_counter() - began) * 1000)
        busy.append((processors() - worked) * 1000)
    return Page(
        name=name,
        wall_p50=statistics.median(wall),
        wall_p95=_p95(wall),
        busy_p50=statistics.median(busy),
        busy_p95=_p95(busy),
        queries=asked,
        rows=listed.paginator.total_words if listed else "",
    )


def _p95(values: list[float]) -> float:
    return sorted(values)[math.ceil(len(values) * 0.95) - 1]


def processors() -> float:
    """Return the seconds that processors spent on us and on our PostgreSQL session.

    0 where the kernel does not tell. Parallel workers are not in it: see `TUNING`.
    """
    from django.db import connection

    if connection.connection is None:
        connection.connect()
    pid = connection.connection.info.backend_pid
    try:
        # In ns: https://docs.kernel.org/scheduler/sched-stats.html
        told = Path(f"/proc/{pid}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(told.split()[0]) / 1e9 + time.process_time()


def table(found: list[Page]) -> str:
    """Return one line for each page."""
    lines = [
        f"{'':46} {'busy p50':>8} {'p95':>7} {'wall p50':>8} {'p95':>7} queries  rows"
    ]
    for one in found:
        mark = "" if one.is_kept else f"  over the bar of {BAR_MS:.0f} ms"
        lines.append(
            f"{one.name[:46]:46} {one.busy_p50:8.1f} {one.busy_p95:7.1f}"
            f" {one.wall_p50:8.1f} {one.wall_p95:7.1f} {one.queries:7}"
            f"  {one.rows}{mark}"
        )
    over = sum(not one.is_kept for one in found)
    lines.append(f"{len(found)} pages, {over} over the bar; times in ms")
    return "\n".join(lines) + "\n"


def explain(address: str, client: Any) -> None:
    """Print the plans of a page's slow queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    for one in queries:
        if float(one["time"]) > 0.02 and one["sql"].startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute(
                    "EXPLAIN (ANALYZE, BUFFERS) " + one["sql"].replace("%", "%%"), ()
                )
                plan = "\n".join(row[0] for row in cursor.fetchall())
            sys.stderr.write(f"{one['time']} {one['sql'][-600:]}\n{plan}\n\n")


def run(options: argparse.Namespace) -> int:
    """Measure in this process, whose settings name the database."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from benchmarks.archive_fill import fill
    from calls.models import Call

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0, skip_checks=True)
    if not Call.objects.exists():
        fill(options.calls)
    found = list(measure_all(options))
    if options.json:
        rows = [asdict(one) | {"is_kept": one.is_kept} for one in found]
        document = {"calls": Call.objects.count(), "bar_ms": BAR_MS, "pages": rows}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        sys.stdout.write(table(found))
    return 0 if all(one.is_kept for one in found) else 1


def measure_all(options: argparse.Namespace) -> Iterator[Page]:
    """Yield every page that is asked for, measured."""
    from django.contrib.auth.models import User
    from django.test import Client

    facts = facts_of()
    client = Client()
    client.force_login(User.objects.get(username="bench"))
    client.get(LIST)
    # As `acsstream.asgi` does when it has begun.
    gc.collect()
    gc.freeze()
    for name, address in pages(facts):
        if options.only not in name:
            continue
        shown, full = name.format(**facts), address.format(**facts)
        one = measured(client, shown, full, options.rounds)
        if options.explain and not one.is_kept:
            sys.stderr.write(f"=== {shown}\n")
            explain(full, client)
        yield one


def main() -> int:
    """Start a PostgreSQL, unless DATABASE_URL names one, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--calls", type=int, default=1_000_000)
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
