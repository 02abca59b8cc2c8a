"""What is wrong or missing in the settings of ACS and of the URLs it comes to."""

import base64
import binascii
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.http.request import validate_host

from calls.addresses import is_base_url


def missing_names() -> list[str]:
    """Return the variables without which no call can be answered or verified."""
    needed = {
        "ACSSTREAM_ACS_ENDPOINT": settings.ACS_ENDPOINT,
        "ACSSTREAM_ACS_ACCESS_KEY": settings.ACS_ACCESS_KEY,
        "ACSSTREAM_PUBLIC_URL": settings.PUBLIC_URL,
        "ACSSTREAM_MEDIA_URL": settings.MEDIA_URL_BASE,
    }
    if "off" not in (settings.MEDIA_AUTH, settings.CALLBACK_AUTH):
        needed["ACSSTREAM_ACS_RESOURCE_ID"] = settings.ACS_RESOURCE_ID
    if settings.CALLBACK_AUTH != "off" and not settings.EVENTGRID_AUDIENCE:
        needed["ACSSTREAM_EVENTGRID_SECRET"] = settings.EVENTGRID_SECRET
    return [name for name, value in needed.items() if not value]


@register()
def check_presence(**_: object) -> list[CheckMessage]:
    """W001: ACS is not, or not fully, configured.

    A warning: whoever looks around on a laptop has nothing to configure yet.
    """
    missing = missing_names()
    if not missing:
        return []
    return [
        Warning(
            f"No call can be answered: {', '.join(missing)} not set.",
            hint="README.md lists every setting. `make demo` needs none of them.",
            id="acsstream.W001",
        )
    ]


@register()
def check_acs(**_: object) -> list[CheckMessage]:
    """E002 endpoint, E003 access key, E004 resource id: set, but not what they are."""
    found: list[CheckMessage] = []
    if settings.ACS_ENDPOINT and not is_base_url(settings.ACS_ENDPOINT, "http"):
        found.append(
            Error(
                "ACSSTREAM_ACS_ENDPOINT is not an https:// URL of a host.",
                hint="Azure portal, Keys: https://name.communication.azure.com, without"
                " a path. http:// is for an emulator on this machine or its network.",
                id="acsstream.E002",
            )
        )
    if settings.ACS_ACCESS_KEY and not is_base64(settings.ACS_ACCESS_KEY):
        found.append(
            Error(
                "ACSSTREAM_ACS_ACCESS_KEY is not base64.",
                hint="Set the key alone, not the connection string, with its = signs.",
                id="acsstream.E003",
            )
        )
    if settings.ACS_RESOURCE_ID and not is_guid(settings.ACS_RESOURCE_ID):
        found.append(
            Error(
                "ACSSTREAM_ACS_RESOURCE_ID is not a GUID.",
                hint="The resource's immutable id: `az communication show … --query"
                " immutableResourceId`. Not its /subscriptions/… path.",
                id="acsstream.E004",
            )
        )
    return found


@register()
def check_cognitive(**_: object) -> list[CheckMessage]:
    """E012: the Azure AI endpoint is set, but is no https:// URL."""
    if not settings.COGNITIVE_ENDPOINT or is_cognitive(settings.COGNITIVE_ENDPOINT):
        return []
    return [
        Error(
            "ACSSTREAM_COGNITIVE_ENDPOINT is not an https:// URL of a host.",
            hint="Azure portal, the Azure AI services resource, Keys and Endpoint:"
            " https://name.cognitiveservices.azure.com. No key, no resource id.",
            id="acsstream.E012",
        )
    ]


@register()
def check_public_urls(**_: object) -> list[CheckMessage]:
    """E005 PUBLIC_URL, E006 MEDIA_URL, W002 a host that Django would refuse."""
    found: list[CheckMessage] = []
    if settings.PUBLIC_URL and not is_base_url(settings.PUBLIC_URL, "http"):
        found.append(
            Error(
                "ACSSTREAM_PUBLIC_URL is not an https:// URL of a host.",
                hint="ACS calls webhooks over TLS with a certificate it trusts. http://"
                " is for an emulator on this machine or its network.",
                id="acsstream.E005",
            )
        )
    elif settings.PUBLIC_URL and not is_allowed(settings.PUBLIC_URL):
        found.append(
            Warning(
                "ALLOWED_HOSTS does not have the host of ACSSTREAM_PUBLIC_URL.",
                hint="Django would answer ACS's webhooks with 400, unless a proxy"
                " rewrites the Host header.",
                id="acsstream.W002",
            )
        )
    if settings.MEDIA_URL_BASE and not is_base_url(settings.MEDIA_URL_BASE, "ws"):
        found.append(
            Error(
                "ACSSTREAM_MEDIA_URL is not a wss:// URL of a host.",
                hint="ACS dials wss:// only. ws:// is for an emulator on this machine"
                " or its network.",
                id="acsstream.E006",
            )
        )
    return found


def is_cognitive(url: str) -> bool:
    """Say whether `url` can be an Azure AI endpoint: ACS calls it, so no plain HTTP."""
    return is_base_url(url, "http") and url.lower().startswith("https://")


def is_allowed(url: str) -> bool:
    """Say whether Django answers requests for the host of `url`."""
    host = urlsplit(url).hostname or ""
    literal = f"[{host}]" if ":" in host else host
    return bool(settings.DEBUG) or validate_host(literal, settings.ALLOWED_HOSTS)


def is_base64(text: str) -> bool:
    """Say whether `text` is padded standard base64."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def is_guid(text: str) -> bool:
    """Say whether `text` is a GUID as Azure writes it, with its hyphens."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
