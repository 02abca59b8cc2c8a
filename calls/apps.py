"""The calls app: what a call is."""

from django.apps import AppConfig


class CallsConfig(AppConfig):
    """Registers the app's system checks."""

    name = "calls"
    verbose_name = "Calls"

    def ready(self) -> None:
        """Register the checks by importing them."""
        from calls import checks  # noqa: F401 registers itself
