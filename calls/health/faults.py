"""One part each: empty if it answers, else what is wrong with it, in a few words."""

import redis
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from calls.database import DATABASE_AWAY
from calls.live.ingest import redis_sync


def database_fault() -> str:
    """Return what is wrong with the database; empty if nothing is."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DATABASE_AWAY as fault:
        return f"does not answer ({type(fault).__name__})"
    return ""


def redis_fault() -> str:
    """Return what is wrong with Redis; empty if nothing is."""
    try:
        with redis_sync() as client:
            client.ping()
    except (redis.RedisError, OSError) as fault:
        return f"does not answer ({type(fault).__name__})"
    return ""


def migrations_waiting() -> list[str]:
    """Return the migrations that this release has and the database has not.

    Raises `DatabaseError`.
    """
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
