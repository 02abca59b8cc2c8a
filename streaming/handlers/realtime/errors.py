"""What goes wrong with a service, and whether trying again helps."""

from typing import Final

from streaming.handlers.realtime.events import Trouble

# Codes of errors that stay: more attempts only cost money and time.
FINAL: Final = frozenset(
    {
        "access_terminated",
        "account_deactivated",
        "billing_not_active",
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
        "unsupported_country_region_territory",
    }
)


class ServiceError(Exception):
    """The service cannot be had. `is_final`: trying again would not help.

    `after`: for so many seconds the service asked not to be asked again.
    """

    def __init__(self, why: str, *, is_final: bool = False, after: float = 0.0) -> None:
        super().__init__(why)
        self.is_final = is_final
        self.after = after


def is_final(trouble: Trouble) -> bool:
    """Say whether an error of the service stays."""
    return trouble.code in FINAL
