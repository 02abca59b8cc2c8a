"""Codes from an app, and recovery codes: what beside the password lets somebody in.

Recovery codes are random, long and used once; they are kept as keyed hashes.
"""

import base64
import io
import secrets
from datetime import timedelta
from typing import Any, Final

import segno
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from calls.groups import ADMINISTRATOR

RECOVERY_CODES: Final = 10
# Wrong codes of an app or of a recovery code make it wait 1, 2, 4 … 512 s.
MOST_DOUBLINGS: Final = 10
# 49 bits; and who guesses has to wait.
CODE_LETTERS: Final = 10
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


def is_enrolled(user: Any) -> bool:
    """Say whether a user has an app that shows codes."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def is_required(user: Any) -> bool:
    """Say whether a user must have one. Superusers are administrators."""
    roles = set(settings.TOTP_ROLES)
    if user.is_superuser and ADMINISTRATOR in roles:
        return True
    return bool(roles) and user.groups.filter(name__in=roles).exists()


def draft_of(user: Any, key: int | None) -> TOTPDevice:
    """Return the app that a user is about to add: `key`'s, if that is still to be had.

    Whoever knows the password alone may have seen an earlier one's secret: the key is
    kept in the session, and a new session gets a new secret.
    """
    drafts = TOTPDevice.objects.filter(user=user, confirmed=False)
    if (found := drafts.filter(pk=key).first()) is not None:
        return found
    drafts.delete()
    return TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def confirm(draft: TOTPDevice, code: str) -> list[str] | None:
    """Take an app whose code this is; return recovery codes, None if it is not.

    Raises `MustWaitError`.
    """
    if not _verifies(draft, _digits(code)):
        return None
    with transaction.atomic():
        TOTPDevice.objects.filter(user=draft.user).exclude(pk=draft.pk).delete()
        draft.confirmed = True
        draft.save(update_fields=["confirmed"])
        return recovery_make(draft.user)


class MustWaitError(Exception):
    """Too many wrong codes: no code is looked at, for so long."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(wait)
        self.wait = wait


def accepts(user: Any, code: str) -> bool:
    """Say whether a code lets a user in; each does once. Raises `MustWaitError`."""
    kind: Any = StaticDevice if is_recovery(code) else TOTPDevice
    typed = _kept(user, code) if is_recovery(code) else _digits(code)
    # Of two requests with one code, one comes first.
    with transaction.atomic():
        devices = kind.objects.select_for_update()
        device = devices.filter(user=user, confirmed=True).first()
        return device is not None and _verifies(device, typed)


def _verifies(device: Any, typed: str) -> bool:
    """Say whether a device knows a code. Each wrong one makes it wait, in bounds.

    By itself the library doubles the wait for a hundred years.
    """
    most = MOST_DOUBLINGS
    device.throttling_failure_count = min(device.throttling_failure_count, most)
    may, why = device.verify_is_allowed()
    if not may:
        raise MustWaitError(why["locked_until"] - timezone.now())
    return bool(device.verify_token(typed))


def is_recovery(code: str) -> bool:
    """Say whether a code is none from an app, so a recovery code if any."""
    digits = _digits(code)
    return not (digits.isascii() and digits.isdigit())


def let_try(user: Any) -> None:
    """Let a user's codes be looked at again at once."""
    for kind in (TOTPDevice, StaticDevice):
        for device in kind.objects.filter(user=user):
            device.throttle_reset(commit=False)
            device.save(
                update_fields=[
                    "throttling_failure_count",
                    "throttling_failure_timestamp",
                ]
            )


def recovery_make(user: Any) -> list[str]:
    """Return new recovery codes; the old ones are void."""
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery codes")
    codes = [
        "".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS))
        for _ in range(RECOVERY_CODES)
    ]
    for code in codes:
        device.token_set.create(token=_kept(user, code))
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def recovery_left(user: Any) -> int:
    """Return how many recovery codes a user has left."""
    devices = StaticDevice.objects.filter(user=user)
    return sum(device.token_set.count() for device in devices)


def reset(user: Any) -> bool:
    """Forget a user's app and recovery codes; say whether there were any."""
    with transaction.atomic():
        apps = TOTPDevice.objects.filter(user=user)
        had = bool(apps.filter(confirmed=True).exists())
        apps.delete()
        StaticDevice.objects.filter(user=user).delete()
    return had


def qr_svg(device: TOTPDevice) -> str:
    """Return the QR code that an app reads, as SVG without styles."""
    out = io.BytesIO()
    segno.make(device.config_url, error="m").save(
        out, kind="svg", xmldecl=False, svgns=True, scale=5, border=4, light="#fff"
    )
    return out.getvalue().decode()


def secret_text(device: TOTPDevice) -> str:
    """Return the secret as people type it: base32 in groups of four."""
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _digits(code: str) -> str:
    return "".join(code.split())[:16]


def _kept(user: Any, code: str) -> str:
    """Return what is stored of a recovery code: 80 bits of a keyed hash."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    digest = salted_hmac(f"recovery.{user.pk}", plain, algorithm="sha256").digest()
    return base64.b32encode(digest).decode()[:16]
