"""System checks: what is wrong or missing in the settings, and what to do about it.

`manage.py check` runs them, `manage.py check --deploy` more of them, and the processes
of an installation refuse to start over errors (`enforce`). Ids are stable, so that one
can be looked up: docs/deployment.md has them all. No message repeats a secret.
"""

import logging
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from calls.checks.acs import check_acs, check_presence, check_public_urls
from calls.checks.doors import (
    check_bind,
    check_event_grid,
    check_names,
    check_secret_key,
)
from calls.checks.places import check_azure, check_folders, check_storage

logger = logging.getLogger(__name__)

CHECKS: tuple[Callable[..., list[CheckMessage]], ...] = (
    check_presence,
    check_acs,
    check_public_urls,
    check_folders,
    check_storage,
    check_azure,
    check_secret_key,
    check_names,
    check_bind,
    check_event_grid,
)


def enforce() -> None:
    """Refuse to start over wrong settings, and warn of doubtful ones.

    For entry points: ASGI applications and Celery, which Django's own checks do not
    pass. Missing ACS settings (W001) are refused as well, unless it is plain that no
    call of ACS is expected: with `DEBUG`, or with `ACSSTREAM_MEDIA_AUTH=off`. Raises
    `ImproperlyConfigured` with every fault at once.
    """
    expects_calls = not settings.DEBUG and settings.MEDIA_AUTH != "off"
    faults: list[CheckMessage] = []
    for message in not_silenced(found for check in CHECKS for found in check()):
        if message.is_serious() or (expects_calls and message.id == "acsstream.W001"):
            faults.append(message)
        else:
            logger.warning("%s: %s %s", message.id, message.msg, message.hint)
    if faults:
        listed = "\n".join(f"  {at.id}: {at.msg}\n    {at.hint}" for at in faults)
        raise ImproperlyConfigured(f"The settings do not allow a start:\n{listed}")


def not_silenced(messages: Iterator[CheckMessage]) -> Iterator[CheckMessage]:
    """Yield the messages that `SILENCED_SYSTEM_CHECKS` does not silence."""
    return (message for message in messages if not message.is_silenced())
