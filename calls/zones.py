"""Whose day it is: the time zone in which somebody reads times.

The browser tells its zone in a cookie, with what was chosen in the menu of the user:
`browser:Europe/Berlin`, `installation:Europe/Berlin`, `utc:Europe/Berlin`. A cookie is
the visitor's to write: what is no zone is as good as none, and the installation's zone
(`TIME_ZONE`) holds.
"""

from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

COOKIE = "zone"
UTC = ZoneInfo("UTC")
# Browsers keep the names that ICU knew first. Databases and systems may have dropped
# them (Debian moves them to a package of its own), and people read the new ones.
RENAMED = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Catamarca": "America/Argentina/Catamarca",
    "America/Coral_Harbour": "America/Atikokan",
    "America/Cordoba": "America/Argentina/Cordoba",
    "America/Godthab": "America/Nuuk",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "America/Jujuy": "America/Argentina/Jujuy",
    "America/Louisville": "America/Kentucky/Louisville",
    "America/Mendoza": "America/Argentina/Mendoza",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Europe/Kiev": "Europe/Kyiv",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}


class ZoneChoice(StrEnum):
    """What a user may choose."""

    BROWSER = "browser"
    INSTALLATION = "installation"
    UTC = "utc"


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone a page is made in, and the choice that led to it."""

    choice: ZoneChoice
    tz: tzinfo

    @property
    def name(self) -> str:
        """Return the zone's name in the IANA database."""
        return str(self.tz)

    @property
    def installation(self) -> str:
        """Return the name of the installation's own zone."""
        return str(timezone.get_default_timezone())

    @property
    def is_browsers(self) -> bool:
        """Say whether the browser's own zone was chosen, as it is without a choice."""
        return self.choice is ZoneChoice.BROWSER

    @property
    def is_installations(self) -> bool:
        """Say whether the installation's zone was chosen."""
        return self.choice is ZoneChoice.INSTALLATION

    @property
    def is_utc(self) -> bool:
        """Say whether UTC was chosen."""
        return self.choice is ZoneChoice.UTC


def zone_of(cookie: str) -> Zone:
    """Return the zone that a cookie asks for; the installation's if it is rubbish."""
    chosen, _, name = cookie.partition(":")
    installation = timezone.get_default_timezone()
    match chosen:
        case ZoneChoice.UTC:
            return Zone(ZoneChoice.UTC, UTC)
        case ZoneChoice.INSTALLATION:
            return Zone(ZoneChoice.INSTALLATION, installation)
        case _:
            return Zone(ZoneChoice.BROWSER, known_zone(name) or installation)


def known_zone(name: str) -> ZoneInfo | None:
    """Return a zone by its name, None if there is none of it.

    Looked up in the list of names first: a file of any name is not opened.
    """
    name = RENAMED.get(name, name)
    return ZoneInfo(name) if name in _names() else None


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())
