"""System checks of what people come in by. Ids are stable, as in `calls.checks`."""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from calls.addresses import is_base_url
from calls.groups import RIGHTS


@register()
def check_single_sign_on(**_: object) -> list[CheckMessage]:
    """E030 to E034: single sign-on or the second factor cannot work as set."""
    return [
        Error(message, hint=hint, id=f"acsstream.{number}")
        for number, message, hint in _faults()
    ]


def _faults() -> Iterator[tuple[str, str, str]]:
    roles = ", ".join(RIGHTS)
    issuer = settings.OIDC_ISSUER
    if issuer and not is_base_url(issuer, "http"):
        yield (
            "E030",
            "ACSSTREAM_OIDC_ISSUER is no https:// URL.",
            "It is where keys come from: anybody on the way could replace them.",
        )
    if issuer and not settings.OIDC_CLIENT_ID:
        yield (
            "E031",
            "ACSSTREAM_OIDC_ISSUER is set and ACSSTREAM_OIDC_CLIENT_ID is not.",
            "Register the console at the identity provider; docs/people.md says how.",
        )
    if set(settings.OIDC_ROLES.values()) - set(RIGHTS):
        yield (
            "E032",
            "ACSSTREAM_OIDC_ROLES names a role that there is not.",
            f"Roles are {roles}.",
        )
    if settings.SSO_ONLY and not (issuer and settings.OIDC_CLIENT_ID):
        yield (
            "E033",
            "ACSSTREAM_SSO_ONLY is on without single sign-on: nobody could come in.",
            "Set ACSSTREAM_OIDC_ISSUER and ACSSTREAM_OIDC_CLIENT_ID.",
        )
    if set(settings.TOTP_ROLES) - set(RIGHTS):
        yield (
            "E034",
            "ACSSTREAM_TOTP_ROLES names a role that there is not.",
            f"Roles are {roles}; `none` is nobody.",
        )
