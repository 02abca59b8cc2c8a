"""The calls app: what a call is."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CallsConfig(AppConfig):
    """Registers the app's system checks and makes its groups."""

    name = "calls"
    verbose_name = "Calls"

    def ready(self) -> None:
        """Register the checks by importing them; have groups made after migrations."""
        from calls import checks  # noqa: F401 registers itself
        from calls.groups import groups_make

        post_migrate.connect(groups_make, sender=self)
