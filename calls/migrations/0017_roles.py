"""Six roles as groups: the two there were are renamed, and keep members and rights.

Permissions are made after migrations: `calls.groups` gives the new groups theirs then.
"""

from django.db import migrations

ROLES = ("viewer", "listener", "operator", "archivist", "auditor", "administrator")
FORMER = {"Operators": "operator", "Auditors": "auditor"}


def roles_make(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for former, role in FORMER.items():
        old = groups.filter(name=former).first()
        if old is None:
            continue
        if groups.filter(name=role).exists():
            # Somebody's own group of that name: the old one stays beside it.
            continue
        old.name = role
        old.save(update_fields=["name"])
    for role in ROLES:
        groups.get_or_create(name=role)


class Migration(migrations.Migration):
    """Makes groups. Back again they stay: who is in them must not lose their rights."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("calls", "0016_connection_leftovers"),
    ]

    operations = [migrations.RunPython(roles_make, migrations.RunPython.noop)]
