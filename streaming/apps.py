"""The streaming app: how audio arrives and how the live view leaves."""

from django.apps import AppConfig


class StreamingConfig(AppConfig):
    """Has no models; it is an app for its commands and templates."""

    name = "streaming"
