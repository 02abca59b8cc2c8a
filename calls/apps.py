"""The calls app: what a call is."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class CallsConfig(AppConfig):
    """Registers the app's system checks, hears of sign-ins and makes groups."""

    name = "calls"
    verbose_name = "Calls"

    def ready(self) -> None:
        """Register checks, listen to sign-ins, have groups made after migrations."""
        from calls import checks  # noqa: F401 registers itself
        from calls.audit import signals as audit_signals
        from calls.groups import groups_make, rights_note
        from calls.sign_in import checks as sign_in_checks  # noqa: F401 registers itself

        audit_signals.connect()
        pre_migrate.connect(rights_note, sender=self)
        post_migrate.connect(groups_make, sender=self)
