"""Settings from the environment: strict, complete about faults, discreet."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from acsstream.env import PATIENCE, Env, Variable, database_from_url

WHY = "a test"
SECRET_NAME = re.compile(r"(KEY|SECRET|PASSWORD|TOKEN|CONNECTION_STRING)$")


def database(url: str) -> dict[str, Any]:
    return Env({"DATABASE_URL": url}).database("DATABASE_URL", "", purpose=WHY)


def problem(url: str) -> str:
    """Return why `url` is refused as a database."""
    with pytest.raises(ValueError, match=" ") as caught:
        database_from_url(url)
    return str(caught.value)


@pytest.mark.parametrize("raw", ["1", "true", "True", " yes ", "ON"])
def test_reads_what_is_true(raw: str) -> None:
    assert Env({"X": raw}).flag("X", False, purpose=WHY) is True


@pytest.mark.parametrize("raw", ["0", "false", "No", "off"])
def test_reads_what_is_false(raw: str) -> None:
    assert Env({"X": raw}).flag("X", True, purpose=WHY) is False


@pytest.mark.parametrize("raw", ["y", "2", "ture", "enabled"])
def test_refuses_what_is_neither_true_nor_false(raw: str) -> None:
    env = Env({"X": raw})

    env.flag("X", False, purpose=WHY)

    assert env.problems == [f"X: {raw.lower()!r} is neither true nor false"]


@pytest.mark.parametrize("raw", ["", "  "])
def test_takes_an_empty_variable_for_one_that_is_not_set(raw: str) -> None:
    env = Env({"X": raw})

    assert env.text("X", "text", purpose=WHY) == "text"
    assert env.flag("X", True, purpose=WHY) is True
    assert env.number("X", 1.5, purpose=WHY) == 1.5
    assert env.whole("X", 2, purpose=WHY) == 2
    assert env.choice("X", "a", ("a", "b"), purpose=WHY) == "a"
    assert env.words("X", "a, b", purpose=WHY) == ["a", "b"]
    assert env.path("X", Path("/a"), shown="a", purpose=WHY) == Path("/a")
    assert env.json("X", purpose=WHY) == {}
    assert not env.problems


@pytest.mark.parametrize("raw", ["ten", "0.5", "-1", "nan", "inf", "1e999"])
def test_refuses_numbers_out_of_bounds(raw: str) -> None:
    env = Env({"X": raw})

    assert env.number("X", 30, least=1, purpose=WHY) == 30
    assert len(env.problems) == 1


def test_refuses_a_fraction_where_a_whole_number_is_needed() -> None:
    env = Env({"X": "1.5"})

    assert env.whole("X", 3, purpose=WHY) == 3
    assert env.problems == ["X: 1.5 is not a whole number"]


def test_refuses_a_word_that_is_no_choice() -> None:
    env = Env({"X": "Required"})

    env.choice("X", "off", ("required", "off"), purpose=WHY)

    assert env.problems == ["X: 'Required' is not one of required, off"]


def test_reads_words_between_commas() -> None:
    words = Env({"X": "a.example.com, ,b.example.com,"}).words("X", purpose=WHY)

    assert words == ["a.example.com", "b.example.com"]


def test_makes_paths_absolute() -> None:
    env = Env({"X": "var/../audio", "HOME_PATH": "~/audio"})

    given = env.path("X", Path("/"), shown="", purpose=WHY)
    at_home = env.path("HOME_PATH", Path("/"), shown="", purpose=WHY)

    assert given == Path.cwd() / "audio"
    assert at_home == Path.home() / "audio"


@pytest.mark.parametrize("raw", ["{", "[]", '"text"', "account_key=abc"])
def test_refuses_what_is_no_json_object(raw: str) -> None:
    env = Env({"X": raw})

    assert env.json("X", purpose=WHY) == {}
    assert len(env.problems) == 1
    assert "abc" not in env.problems[0]


def test_reads_a_secret_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t\n", encoding="utf-8")
    env = Env({"KEY_FILE": str(secret), "OPTIONS_FILE": str(tmp_path / "options")})
    (tmp_path / "options").write_text('{"account_key": "a2V5"}', encoding="utf-8")

    assert env.text("KEY", purpose=WHY) == "s3cr3t"
    assert env.json("OPTIONS", purpose=WHY) == {"account_key": "a2V5"}


def test_refuses_a_secret_file_that_is_not_there(tmp_path: Path) -> None:
    env = Env({"KEY_FILE": str(tmp_path / "gone")})

    env.text("KEY", purpose=WHY)

    [message] = env.problems
    assert message.startswith("KEY_FILE: cannot read ")
    assert message.endswith("No such file or directory")


def test_refuses_a_secret_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00")
    env = Env({"KEY_FILE": str(tmp_path / "noise")})

    env.text("KEY", purpose=WHY)

    assert env.problems == [f"KEY_FILE: cannot read {tmp_path / 'noise'}: not UTF-8"]


def test_says_nothing_of_a_secret_that_stands_where_its_file_should() -> None:
    env = Env({"KEY_FILE": "hunter2", "OTHER_FILE": "hun\0ter2"})

    env.secret("KEY", purpose=WHY)
    env.secret("OTHER", purpose=WHY)

    assert [one.split(":")[0] for one in env.problems] == ["KEY_FILE", "OTHER_FILE"]
    assert "ter2" not in str(env.problems)


def test_shows_no_secret_when_settings_are_printed() -> None:
    env = Env({"KEY": "hunter2", "OPTIONS": '{"a": {"connection": "hunter2"}}'})

    key, options = env.secret("KEY", purpose=WHY), env.json("OPTIONS", purpose=WHY)

    settings = database("postgresql://acs:hunter2@db/acs")
    assert "hunter2" not in repr([key, options, settings])
    assert (key, settings["PASSWORD"]) == ("hunter2", "hunter2")
    assert options == {"a": {"connection": "hunter2"}}


def test_every_secret_may_come_from_a_file_and_shows_in_no_repr() -> None:
    from acsstream import settings

    secrets = {
        name for name, one in settings.env.variables.items() if one.kind == "secret"
    }

    assert secrets >= {
        "SECRET_KEY",
        "REDIS_URL",
        "ACSSTREAM_ACS_ACCESS_KEY",
        "ACSSTREAM_EVENTGRID_SECRET",
        "ACSSTREAM_REALTIME_KEY",
    }
    # What has such a name is one.
    named = {name for name in settings.env.variables if SECRET_NAME.search(name)}
    assert named <= secrets


def test_refuses_a_secret_given_twice(tmp_path: Path) -> None:
    env = Env({"KEY": "hunter2", "KEY_FILE": str(tmp_path / "key")})

    env.text("KEY", purpose=WHY)

    assert env.problems == ["KEY: set, and KEY_FILE is set too"]


def test_names_every_problem_at_once() -> None:
    env = Env({"A": "maybe", "B": "many", "C": "[]"})
    env.flag("A", False, purpose=WHY)
    env.whole("B", 1, purpose=WHY)
    env.json("C", purpose=WHY)

    with pytest.raises(ImproperlyConfigured, match=r"(?s)A: .*B: .*C: "):
        env.finish()


def test_lets_right_values_pass() -> None:
    env = Env({"A": "true"})
    env.flag("A", False, purpose=WHY)

    env.finish()


def test_remembers_what_it_was_asked_for() -> None:
    env = Env({})

    env.whole("SIZE", 1_048_576, purpose="How large.")
    env.text("NODE", "vm-17", shown="<host name>", purpose="Which one.")

    assert env.variables == {
        "SIZE": Variable("SIZE", "number", "1048576", "How large."),
        "NODE": Variable("NODE", "text", "<host name>", "Which one."),
    }


def test_finds_variables_that_nothing_reads() -> None:
    env = Env({"APP_MODE_FILE": "/x", "APP_MOED": "1", "APP_ZZZZ": "", "OTHER": "2"})
    env.text("APP_MODE", purpose=WHY)

    assert env.unknown("APP_") == {"APP_MOED": "APP_MODE", "APP_ZZZZ": ""}


def test_reads_a_database_url_with_odd_characters() -> None:
    settings = database(
        "postgresql://us%40er:p%40ss%2Fw%23rd%3A%25@db.example.com/a%20b"
    )

    assert settings["USER"] == "us@er"
    assert settings["PASSWORD"] == "p@ss/w#rd:%"
    assert settings["HOST"] == "db.example.com"
    assert settings["PORT"] == ""
    assert settings["NAME"] == "a b"


def test_reads_port_and_options_of_a_database() -> None:
    settings = database(
        "postgres://acs@[::1]:6432/acs?sslmode=require&connect_timeout=3"
    )

    assert (settings["HOST"], settings["PORT"]) == ("::1", "6432")
    assert settings["OPTIONS"] == PATIENCE | {
        "sslmode": "require",
        "connect_timeout": "3",
    }


def test_reads_the_folder_of_a_databases_socket() -> None:
    settings = database("postgresql://acs@/acs?host=/run/postgresql")

    assert settings["HOST"] == "/run/postgresql"
    assert settings["OPTIONS"] == PATIENCE


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hun#ter2@db/name",
        "postgresql://user:hun/ter2@db/name",
        "postgresql://user:hun?ter2@db/name",
        "postgresql://user:hun[ter2@db/name",
        "postgresql://user:hunter2@db:port/name",
        "postgresql://user:hunter2@db",
        "mysql://user:hunter2@db/name",
        "hunter2",
    ],
)
def test_refuses_a_broken_database_url_without_repeating_it(url: str) -> None:
    said = problem(url)

    assert "hun" not in said
    assert "ter2" not in said
    assert "port'" not in said


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:db.sqlite3", "sqlite://db.sqlite3"]
)
def test_refuses_an_sqlite_url_without_an_absolute_path(url: str) -> None:
    assert "sqlite" in problem(url).lower()


def test_lets_several_processes_share_an_sqlite_file() -> None:
    settings = database("sqlite:///srv/acs stream%/db.sqlite3")

    assert settings["NAME"] == Path("/srv/acs stream%/db.sqlite3")
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in settings["OPTIONS"]["init_command"]


def test_collects_a_database_problem_like_any_other() -> None:
    env = Env({"DATABASE_URL": "mysql://host/name"})

    env.database("DATABASE_URL", "sqlite:///x", purpose=WHY)

    assert env.problems == [
        "DATABASE_URL: the URL must start with sqlite:/// or postgresql://"
    ]


def test_a_postgresql_that_vanishes_is_waited_for_in_seconds() -> None:
    options = database("postgresql://acs@db/acs?keepalives_idle=60")["OPTIONS"]

    assert {"connect_timeout", "keepalives", "tcp_user_timeout"} <= options.keys()
    assert options["keepalives_idle"] == "60"
    # As libpq knows them: it refuses a name that it does not.
    assert conninfo_to_dict(make_conninfo("", **options)) == options
