"""The six groups, over upgrades, and what administrators may not make of them."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection

from calls.groups import RIGHTS, groups_make, rights_markdown, rights_note
from tests.console.conftest import logged_in
from tests.factories import UserFactory, member_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def rights(name: str) -> set[str]:
    group = Group.objects.get(name=name)
    return set(group.permissions.values_list("codename", flat=True))


def test_an_upgrade_gives_a_group_what_is_new_and_nothing_else() -> None:
    operators = Group.objects.get(name="operator")
    # As an older release left it, in which nobody could listen; and staff had decided
    # that operators hang up nothing.
    Permission.objects.get(codename="listen_live").delete()
    operators.permissions.remove(Permission.objects.get(codename="hang_up"))

    call_command("migrate", verbosity=0)

    assert "listen_live" in rights("operator")
    assert "hang_up" not in rights("operator")
    assert "listen_live" not in rights("auditor")


def test_what_staff_took_away_stays_away() -> None:
    operators = Group.objects.get(name="operator")
    operators.permissions.remove(Permission.objects.get(codename="listen_live"))

    call_command("migrate", verbosity=0)

    assert "listen_live" not in rights("operator")


def test_an_upgrade_keeps_the_members_and_the_rights_of_the_two_groups() -> None:
    Group.objects.all().delete()
    old = Group.objects.create(name="Operators")
    old.permissions.add(Permission.objects.get(codename="view_auditentry"))
    ada = UserFactory.create()
    ada.groups.add(old)

    rights_note()
    roles = importlib.import_module("calls.migrations.0017_roles")
    roles.roles_make(apps, SimpleNamespace(connection=connection))
    groups_make()

    assert set(Group.objects.values_list("name", flat=True)) == set(RIGHTS)
    assert ada.groups.get().name == "operator"
    assert rights("operator") == {"view_auditentry"}
    assert "view_call" in rights("viewer")
    assert "change_user" in rights("administrator")


def test_an_administrator_makes_nobody_a_superuser_and_touches_none() -> None:
    root = UserFactory.create(is_superuser=True)
    ada = member_of("administrator")
    browser = logged_in(ada)
    page = f"/admin/auth/user/{ada.pk}/change/"
    form = {"username": "ada", "is_active": "on", "is_staff": "on"}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    form |= {f"sso_identities-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    passwords = {"password1": "another one 17", "password2": "another one 17"}

    changed = browser.post(page, form | {"is_superuser": "on", "groups": []})
    refused = browser.post(f"/admin/auth/user/{root.pk}/password/", passwords)

    # The form was taken, without what only a superuser may give.
    assert changed.status_code == 302
    ada = User.objects.get(pk=ada.pk)
    assert (ada.username, ada.is_superuser) == ("ada", False)
    assert refused.status_code == 403
    assert User.objects.get(pk=root.pk).check_password("secret")


def test_the_page_of_groups_shows_what_each_role_is_made_with() -> None:
    page = logged_in(member_of("administrator")).get("/admin/auth/group/")

    assert '<th scope="col">archivist</th>' in page.content.decode()


def test_the_documentation_has_the_table_that_the_groups_are_made_of() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "people.md").read_text()

    # Not so? `manage.py roles` prints it.
    assert f"<!-- roles -->\n{rights_markdown()}\n<!-- /roles -->" in page
