"""What is wrong with secrets and with the doors that they shut."""

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from calls.doors.openness import bound_host, off_fault


@register()
def check_secret_key(**_: object) -> list[CheckMessage]:
    """W003: a generated key, where several machines seem to share a database."""
    key_file = settings.DATA_DIR / "secret_key"
    is_generated = key_file.exists() and key_file.read_text().strip() == str(
        settings.SECRET_KEY
    )
    if is_generated and "postgresql" in settings.DATABASES["default"]["ENGINE"]:
        return [
            Warning(
                "SECRET_KEY was generated on this machine.",
                hint="Media and callback URLs are signed with it. Once a second machine"
                " runs, all must have the same: set SECRET_KEY, or SECRET_KEY_FILE.",
                id="acsstream.W003",
            )
        ]
    return []


@register()
def check_names(**_: object) -> list[CheckMessage]:
    """W007: an environment variable that nothing reads, probably misspelt."""
    return [
        Warning(
            f"{name} is set, and no setting has that name.",
            hint=f"Did you mean {meant}?"
            if meant
            else "README.md lists every setting.",
            id="acsstream.W007",
        )
        for name, meant in settings.UNKNOWN_VARIABLES.items()
        if not name.startswith("ACSSTREAM_TEST_")
    ]


def check_bind(**_: object) -> list[CheckMessage]:
    """E010: authentication is off where others than this machine could come.

    Known of a server's own process alone, which its command line tells where to listen.
    """
    host = bound_host()
    fault = "" if host is None else off_fault(host)
    if not fault:
        return []
    hint = "off is for load tests and development on loopback."
    return [Error(fault, hint=hint, id="acsstream.E010")]


@register()
def check_event_grid(**_: object) -> list[CheckMessage]:
    """E011: Event Grid's Entra token is asked for, and cannot be verified."""
    needed = {
        "ACSSTREAM_EVENTGRID_ISSUER": settings.EVENTGRID_ISSUER,
        "ACSSTREAM_EVENTGRID_OPENID_URL": settings.EVENTGRID_OPENID_URL,
    }
    missing = [name for name, value in needed.items() if not value]
    if not settings.EVENTGRID_AUDIENCE or not missing:
        return []
    return [
        Error(
            f"ACSSTREAM_EVENTGRID_AUDIENCE is set, {' and '.join(missing)} not.",
            hint="docs/doors.md says what an Entra token of Event Grid holds.",
            id="acsstream.E011",
        )
    ]


@register(Tags.security, deploy=True)
def check_authentication(**_: object) -> list[CheckMessage]:
    """W004 media, W005 callbacks, W006 Event Grid: what lets in who proves nothing."""
    found: list[CheckMessage] = []
    if settings.MEDIA_AUTH != "required":
        found.append(
            Warning(
                f"ACSSTREAM_MEDIA_AUTH is {settings.MEDIA_AUTH}.",
                hint="Whoever reaches ingest can stream into the archive.",
                id="acsstream.W004",
            )
        )
    if settings.CALLBACK_AUTH != "required":
        found.append(
            Warning(
                f"ACSSTREAM_CALLBACK_AUTH is {settings.CALLBACK_AUTH}.",
                hint="Callbacks are then only as secret as their URLs.",
                id="acsstream.W005",
            )
        )
    # With verified callbacks Event Grid is refused without a secret: that is W001.
    proof = settings.EVENTGRID_SECRET or settings.EVENTGRID_AUDIENCE
    if settings.CALLBACK_AUTH == "off" and not proof:
        found.append(
            Warning(
                "ACSSTREAM_EVENTGRID_SECRET is not set: anybody can ring.",
                hint="Whoever reaches the console can have calls answered. Set a long"
                " random text and subscribe Event Grid to"
                " <public URL>/webhooks/eventgrid?secret=<it>.",
                id="acsstream.W006",
            )
        )
    return found
