"""A large archive without audio, clearly synthetic, made by the database itself.

    DATABASE_URL=postgresql://… python -m benchmarks.archive_fill --calls 1000000

Calls of two years, more of them lately and by day: two participants with a track and a
recording's row each and a mix, tags, ratings, alarms, follow-ups. PostgreSQL only. A
database that has calls is refused, unless --force.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 after setup
from django.db import connection, transaction  # noqa: E402 after setup

from calls.models import Call, StreamingProfile, Tag  # noqa: E402 after setup

BLOCK = 100_000
TAGS = (
    "billing", "complaint", "callback", "praise", "sales", "technical", "fraud",
    "escalated", "vip", "training",
)  # fmt: skip
FIRST = (
    "Ada", "Bo", "Chidi", "Dana", "Emre", "Farah", "Goran", "Hana", "Ilse", "Jun",
    "Kofi", "Lena", "Mei", "Nils", "Ona", "Pia", "Quinn", "Rosa", "Sven", "Tara",
)  # fmt: skip
LAST = (
    "Okafor", "Tanaka", "Lindqvist", "Moreau", "Silva", "Novak", "Haddad", "Fischer",
    "Kowalski", "Rossi", "Jensen", "Marin", "Dubois", "Petrov", "Nguyen", "Costa",
)  # fmt: skip
PROFILES = ("Front desk", "Sales", "Support", "Night shift", "Test line")

# %(first)s … %(last)s are the numbers of the calls. `r(n, salt)` is a share of 0 to 1
# that follows from a call's number: the same archive every time.
SHARE = """
CREATE OR REPLACE FUNCTION pg_temp.r(n bigint, salt int) RETURNS float8
LANGUAGE sql IMMUTABLE AS $$
    SELECT (('x' || substr(md5(n::text || ':' || salt::text), 1, 7))::bit(28)::int)
        / 268435456.0::float8
$$
"""
PLAN = """
CREATE TEMP TABLE plan AS
SELECT n,
    md5('call/' || n)::uuid AS id,
    now() - ((pg_temp.r(n, 1) ^ 1.7) * interval '730 days') AS rang,
    CASE WHEN pg_temp.r(n, 2) < 0.78 THEN 'inbound' ELSE 'outbound' END AS direction,
    '4:+1' || (2000000000 + (pg_temp.r(n / 3, 3) * 7999999999)::bigint) AS number,
    CASE WHEN pg_temp.r(n, 4) < 0.8
        THEN '4:+1800555' || lpad((pg_temp.r(n, 5) ^ 3 * 40)::int::text, 4, '0')
        ELSE '8:acs:bench_' || substr(md5((pg_temp.r(n, 6) * 800)::int::text), 1, 16)
    END AS ours,
    CASE WHEN pg_temp.r(n, 7) < 0.6 THEN
        (%(first_names)s::text[])[1 + (pg_temp.r(n, 8) * 19.999)::int %% 20] || ' ' ||
        (%(last_names)s::text[])[1 + (pg_temp.r(n, 9) * 15.999)::int %% 16]
    ELSE '' END AS name,
    pg_temp.r(n, 10) < 0.06 AS is_failed,
    (5000 + 175000 * -ln(1 - pg_temp.r(n, 11) * 0.9999))::bigint AS length_ms,
    pg_temp.r(n, 12) AS chance,
    pg_temp.r(n, 13) AS other,
    0.15 + 0.7 * pg_temp.r(n, 14) AS silence
FROM generate_series(%(first)s, %(last)s) AS n
"""
CALLS = """
INSERT INTO calls_call (id, connection_id, server_call_id, correlation_id, direction,
    from_raw_id, to_raw_id, caller_name, incoming_call_context, profile_id, retention,
    state, rang_at, connected_at, ended_at, end_code, end_subcode, end_reason,
    desired_streaming, streaming_state, streaming_reason, paused_why,
    desired_transcription, transcription_state, transcription_locale,
    transcription_reason, archive_state, archive_error, origin_us, completeness,
    overtalk_ms, duration_ms, silence_ratio, people_count, people_text, alarm_count,
    alarm_severity, has_transcript, rating, needs_follow_up, follow_up_assignee_id)
SELECT id, md5('connection/' || n)::uuid::text, 'aHR0cHM6Ly9iZW5jaC8' || md5('s' || n),
    md5('correlation/' || n)::uuid::text, direction,
    CASE direction WHEN 'inbound' THEN number ELSE ours END,
    CASE direction WHEN 'inbound' THEN ours ELSE number END,
    CASE direction WHEN 'inbound' THEN name ELSE '' END, '',
    (%(profiles)s::bigint[])[1 + (chance ^ 2 * 4.999)::int %% 5], 'standard',
    CASE WHEN is_failed THEN 'failed' ELSE 'ended' END, rang,
    CASE WHEN is_failed THEN NULL ELSE rang + interval '4 seconds' END,
    rang + CASE WHEN is_failed THEN interval '20 seconds'
        ELSE interval '4 seconds' + length_ms * interval '1 millisecond' END,
    CASE WHEN is_failed THEN 487 ELSE 200 END, 0, 'Synthetic.',
    NOT is_failed,
    CASE WHEN is_failed THEN 'off' WHEN chance < 0.006 THEN 'failed' ELSE 'stopped' END,
    '', '', FALSE, 'off', '', '',
    CASE WHEN is_failed OR chance < 0.006 THEN 'none'
        WHEN chance < 0.0075 THEN 'failed' ELSE 'finished' END, '',
    (extract(epoch FROM rang) * 1000000)::bigint,
    CASE WHEN is_failed OR chance < 0.006 THEN NULL
        WHEN other < 0.03 THEN 0.6 + 0.4 * other / 0.03 ELSE 1 END,
    (length_ms * 0.03)::bigint,
    CASE WHEN is_failed THEN 20000 ELSE length_ms END,
    CASE WHEN is_failed OR chance < 0.006 THEN NULL ELSE silence END,
    CASE WHEN is_failed THEN NULL ELSE 2 END,
    CASE WHEN is_failed THEN '' ELSE number || ' ' || name || E'\\n' || ours END,
    CASE WHEN other < 0.05 THEN 1 + (other * 60)::int ELSE 0 END,
    CASE WHEN other < 0.01 THEN 3 WHEN other < 0.03 THEN 2 WHEN other < 0.05 THEN 1
        ELSE 0 END,
    chance > 0.7,
    CASE WHEN chance BETWEEN 0.4 AND 0.44 THEN 1 + floor(other * 5)::int END,
    chance BETWEEN 0.5 AND 0.503,
    CASE WHEN chance BETWEEN 0.5 AND 0.502 THEN %(user)s END
FROM plan ORDER BY rang
"""
PEOPLE = """
INSERT INTO calls_participant (id, call_id, raw_id, display_name, joined_at, left_at,
    is_muted, is_on_hold, sequence_number)
SELECT md5(who || '/' || n)::uuid, id, CASE who WHEN 'a' THEN number ELSE ours END,
    CASE who WHEN 'a' THEN name ELSE '' END, rang + interval '4 seconds',
    rang + length_ms * interval '1 millisecond', FALSE, FALSE, 1
FROM plan, (VALUES ('a'), ('b')) AS parties (who) WHERE NOT is_failed
"""
TRACKS = """
INSERT INTO calls_track (id, call_id, participant_id, sample_rate, origin_us, samples,
    packets, bytes, silent_packets, talk_samples, gap_count, gap_samples,
    stopped_samples, late, duplicates, discarded, bad_timestamps, first_packet_at,
    last_packet_at, jitter_us, rms_dbfs, peak_dbfs, clipped_samples, completeness,
    ledger, is_final)
SELECT md5('track/' || who || '/' || n)::uuid, id, md5(who || '/' || n)::uuid, 16000,
    (extract(epoch FROM rang) * 1000000)::bigint, length_ms * 16, length_ms / 20,
    length_ms * 32, (silence * length_ms / 20)::bigint,
    ((1 - silence) * length_ms * 16)::bigint, 0, 0, 0, 0, 0, 0, 0,
    rang + interval '4 seconds', rang + length_ms * interval '1 millisecond', 1800,
    -27, -6, 0, 1, '{}', TRUE
FROM plan, (VALUES ('a'), ('b')) AS parties (who)
WHERE NOT is_failed AND chance >= 0.006
"""
RECORDINGS = """
INSERT INTO calls_recording (id, call_id, track_id, state, error, audio, peaks,
    manifest, leftovers, sample_rate, samples, origin_us, audio_bytes, audio_sha256,
    pcm_sha256, verified_at)
SELECT md5('recording/' || who || '/' || n)::uuid, id,
    CASE WHEN who <> 'm' THEN md5('track/' || who || '/' || n)::uuid END, 'verified',
    '', 'synthetic/' || n || '-' || who || '.flac', '', '', '', 16000, length_ms * 16,
    (extract(epoch FROM rang) * 1000000)::bigint, length_ms * 12, '', '',
    rang + length_ms * interval '1 millisecond'
FROM plan, (VALUES ('a'), ('b'), ('m')) AS parties (who)
WHERE NOT is_failed AND chance >= 0.0075
"""
TAGGED = """
INSERT INTO calls_call_tags (call_id, tag_id)
SELECT id, (%(tags)s::bigint[])[1 + (pg_temp.r(n, 20) ^ 2 * 9.999)::int %% 10]
FROM plan WHERE chance BETWEEN 0.2 AND 0.27
"""
ALARMS = """
INSERT INTO calls_alarm (id, key, kind, severity, state, call_id, raw_id, node, words,
    occurrences, opened_at, last_seen_at, cleared_at, closed_at, close_reason)
SELECT md5('alarm/' || n)::uuid, 'bench/' || n,
    (ARRAY['dead_air','one_way','gaps','incomplete','clipping'])[
        1 + (other * 1000)::int %% 5],
    CASE WHEN other < 0.01 THEN 3 WHEN other < 0.03 THEN 2 ELSE 1 END, 'closed', id,
    '', '', 'Synthetic.', 1, rang, rang, rang, rang, 'synthetic'
FROM plan WHERE other < 0.05
"""
STEPS = (CALLS, PEOPLE, TRACKS, RECORDINGS, TAGGED, ALARMS)


# Filled without them and built at the end, which takes a third of the time.
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND tablename IN ('calls_call',
    'calls_participant', 'calls_track', 'calls_recording', 'calls_call_tags')
AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


def fill(calls: int, *, after: int = 0) -> None:
    """Make `calls` calls and what belongs to them, then ANALYZE.

    They are numbered on from `after`: number by number they are always the same.
    """
    values: dict[str, Any] = {
        "first_names": list(FIRST),
        "last_names": list(LAST),
        "profiles": [StreamingProfile.objects.get_or_create(name=name)[0].pk
                     for name in PROFILES],
        "tags": [Tag.objects.get_or_create(name=name)[0].pk for name in TAGS],
        "user": User.objects.get_or_create(
            username="bench", defaults={"is_staff": True, "is_superuser": True}
        )[0].pk,
    }  # fmt: skip
    began = time.monotonic()
    with _no_indexes():
        for first in range(after + 1, after + calls + 1, BLOCK):
            last = min(first + BLOCK - 1, after + calls)
            _block(values | {"first": first, "last": last})
            _say(f"{last:>9} calls", began)
    _say("  indexes", began)
    with connection.cursor() as cursor:
        # What is read for the first time would be written by the reader.
        cursor.execute("VACUUM (ANALYZE)")
    _say("  analysed", began)


def _say(what: str, began: float) -> None:
    sys.stderr.write(f"{what}, {time.monotonic() - began:.0f} s\n")


def _block(values: dict[str, Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Keys fit by construction; asking for each takes long. Superusers only.
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(SHARE)
        cursor.execute(PLAN, values)
        for statement in STEPS:
            cursor.execute(statement, values)
        cursor.execute("DROP TABLE plan")


@contextmanager
def _no_indexes() -> Iterator[None]:
    """Drop indexes that no constraint needs, and make them again at the end."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for _name, definition in indexes:
                cursor.execute(definition)


def main() -> int:
    """Fill the database that DATABASE_URL names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--force", action="store_true", help="although there are calls")
    parser.add_argument(
        "--after", type=int, default=0, help="go on after so many calls of this kind"
    )
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        parser.error("only PostgreSQL makes so many: set DATABASE_URL")
    if Call.objects.exists() and not options.force:
        parser.error("this database has calls: they would never be told apart again")
    fill(options.calls, after=options.after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
