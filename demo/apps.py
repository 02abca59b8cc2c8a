"""The demo app: the whole system on one machine, against the emulator."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Has no models; it is an app for its command."""

    name = "demo"
