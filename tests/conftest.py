"""Fixtures for all tests, and what the suite thinks of skipped ones."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import expect

from demo import ports
from demo.redis import redis_server
from tests import seed

# A busy machine is slow, not wrong. With CI set, Hypothesis is deterministic too.
hypothesis.settings.register_profile(
    "patient", parent=hypothesis.settings(), deadline=None
)
hypothesis.settings.load_profile("patient")
expect.set_options(timeout=60_000)
# Between a port's being found and a server's taking it a neighbour might: each worker
# of pytest-xdist, of which there are four at most, has its own. (Demos of tests draw
# from all.)
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
ports.PORTS = ports.PORTS[_worker * 3_000 : (_worker + 1) * 3_000]

DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real Redis for this test process and return its URL."""
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def chromium_executable() -> str | None:
    """Return the Chromium to drive: `ACSSTREAM_TEST_CHROMIUM`, else one on PATH."""
    asked = os.environ.get("ACSSTREAM_TEST_CHROMIUM")
    found = (shutil.which(name) for name in (asked or "", *CHROMIUM_NAMES))
    return next(filter(None, found), None)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Return the Chromium for tests that carry the mark `browser`."""
    found = chromium_executable()
    assert found, "mark this test with pytest.mark.browser"
    return Path(found)


@pytest.fixture(autouse=True)
def emptied_audit_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let Django empty all tables after a test whose transactions were real."""
    marker = request.node.get_closest_marker("django_db")
    is_real = {"transactional_db", "live_server"} & set(request.fixturenames) or (
        marker and marker.kwargs.get("transaction")
    )
    if is_real:
        # Asked for here, so that it is torn down after this.
        request.getfixturevalue("db")
    yield
    if is_real:
        audit_log_empty()


def audit_log_empty() -> None:
    """Empty the audit log of a SQLite database, which its triggers do not allow.

    On PostgreSQL, Django empties tables between tests by TRUNCATE, which fires none.
    """
    from django.db import connection, transaction

    if connection.vendor != "sqlite":
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'trigger' AND tbl_name LIKE 'calls_audit%'"
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("DELETE FROM calls_auditentry")
        cursor.execute("DELETE FROM calls_auditlink")
        for _, sql in triggers:
            cursor.execute(sql)


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all processes of this run share."""
    if seed.FOLDER not in os.environ:
        os.environ[seed.FOLDER] = folder = tempfile.mkdtemp(prefix="acsstream-seed-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the database; skip browser tests where there is no browser.

    The mark `database` cannot be forgotten: those tests run again on PostgreSQL.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES:
            item.add_marker(pytest.mark.database)
    if chromium_executable() is None:
        skip = pytest.mark.skip(reason="no Chromium here: apt-get install chromium")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(skip)


def skipped_tests(config: pytest.Config) -> list[str]:
    """Return "test: reason" of each skipped test, when skipping is not allowed."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("ACSSTREAM_TEST_REQUIRE_ALL"):
        return []
    reports = reporter.stats.get("skipped", [])
    return [f"{report.nodeid}: {report.longrepr[2]}" for report in reports]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run over a skipped test, with `ACSSTREAM_TEST_REQUIRE_ALL=1`.

    A test that did not run has proved nothing, and nobody reads the word "skipped".
    """
    passed = session.exitstatus == pytest.ExitCode.OK
    if passed and skipped_tests(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which skipped tests failed the run."""
    for line in skipped_tests(config):
        terminalreporter.write_line(f"FAILED, skipped is not allowed: {line}", red=True)
