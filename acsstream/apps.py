"""The project as an app: it has no models, but every process must know its broker."""

from django.apps import AppConfig


class AcsstreamConfig(AppConfig):
    """Makes our Celery application the current one in every process."""

    name = "acsstream"

    def ready(self) -> None:
        """Import the application.

        Tasks are declared without naming it. A process that has not imported it, the
        web process for one, would send them to Celery's default broker.
        """
        from acsstream import celery  # noqa: F401 becomes the current application
