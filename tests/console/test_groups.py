"""The two groups, over upgrades."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def rights(name: str) -> set[str]:
    group = Group.objects.get(name=name)
    return set(group.permissions.values_list("codename", flat=True))


def test_an_upgrade_gives_a_group_what_is_new_and_nothing_else() -> None:
    operators = Group.objects.get(name="Operators")
    # As an older release left it, in which nobody could listen; and staff had decided
    # that operators hang up nothing.
    Permission.objects.get(codename="listen_live").delete()
    operators.permissions.remove(Permission.objects.get(codename="hang_up"))

    call_command("migrate", verbosity=0)

    assert "listen_live" in rights("Operators")
    assert "hang_up" not in rights("Operators")
    assert "listen_live" not in rights("Auditors")


def test_what_staff_took_away_stays_away() -> None:
    operators = Group.objects.get(name="Operators")
    operators.permissions.remove(Permission.objects.get(codename="listen_live"))

    call_command("migrate", verbosity=0)

    assert "listen_live" not in rights("Operators")
