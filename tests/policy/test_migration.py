"""Profiles that were for one called party become rules, and the way back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

BEFORE, AFTER = "0003_control", "0004_policy"
Migrate = Callable[[str], Apps]


@pytest.fixture
def migrate() -> Iterator[Migrate]:
    """Return what takes the tables to a migration; they end up as they were."""

    def to(name: str) -> Apps:
        executor = MigrationExecutor(connection)
        executor.migrate([("calls", name)])
        return (
            MigrationExecutor(connection).loader.project_state([("calls", name)]).apps
        )

    yield to
    call_command("migrate", "calls", verbosity=0)


def profiles_of(apps: Apps) -> Any:
    return apps.get_model("calls", "StreamingProfile").objects


def rules_of(apps: Apps) -> Any:
    return apps.get_model("calls", "AnswerRule").objects


def test_called_parties_become_rules_and_come_back(migrate: Migrate) -> None:
    old = migrate(BEFORE)
    profiles_of(old).create(name="Usual", called="")
    profiles_of(old).create(name="Wide", called="4:+12065550101", sample_rate=24_000)
    profiles_of(old).create(name="User", called="8:acs:x_y")

    new = migrate(AFTER)

    assert profiles_of(new).get(is_default=True).name == "Usual"
    found = rules_of(new).values_list("name", "called", "profile__name", "enabled")
    assert sorted(found) == [
        ("User", "8:acs:x_y", "User", True),
        ("Wide", "4:+12065550101", "Wide", True),
    ]
    assert {rule.action for rule in rules_of(new).all()} == {"answer"}

    back = migrate(BEFORE)

    assert dict(profiles_of(back).values_list("name", "called")) == {
        "Usual": "",
        "Wide": "4:+12065550101",
        "User": "8:acs:x_y",
    }


def test_the_way_back_keeps_profiles_that_old_rows_have_no_place_for(
    migrate: Migrate,
) -> None:
    new = migrate(AFTER)
    profiles = profiles_of(new)
    one, two = profiles.create(name="One"), profiles.create(name="Two")
    none = profiles.create(name="None")
    for number, profile in enumerate((one, two)):
        rules_of(new).create(
            name=f"R{number}", priority=number, called="+12065550101", profile=profile
        )
    rules_of(new).create(name="Prefix", priority=3, called="+1*", profile=none)

    back = migrate(BEFORE)

    assert dict(profiles_of(back).values_list("name", "called")) == {
        "One": "4:+12065550101",
        "Two": f"no rule: profile {two.pk}",
        "None": f"no rule: profile {none.pk}",
    }


def test_an_installation_without_profiles_has_none_after(migrate: Migrate) -> None:
    migrate(BEFORE)

    new = migrate(AFTER)

    assert not profiles_of(new).exists()
    assert not rules_of(new).exists()
