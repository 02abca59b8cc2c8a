"""The Celery application: `celery -A acsstream worker`, `celery -A acsstream beat`."""

import os
import sys

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from acsstream import crew as crew  # its receivers

app = Celery("acsstream")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Journals lie on one node's disk, so finishing them is that node's work. A worker
# started without -Q reads the common queue and its own node's.
app.conf.task_queues = [
    Queue(settings.CELERY_TASK_DEFAULT_QUEUE),
    Queue(f"recordings.{settings.NODE}"),
]
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="finishing_tasks")


@setup_logging.connect
def _keep_our_logging(**_: object) -> None:
    """Receiving this signal keeps Celery from setting up logging of its own."""


@worker_init.connect
@beat_init.connect
def _refuse_wrong_settings(**_: object) -> None:
    """End worker or beat over wrong settings: Django's own checks never run here.

    Celery logs what a receiver raises and goes on; only `SystemExit` ends it.
    """
    from calls.checks import enforce

    try:
        enforce()
    except ImproperlyConfigured as exc:
        sys.exit(str(exc))
