"""What the user's own menu offers."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

Link = dict[str, Any]


def account_links(request: HttpRequest) -> list[Link]:
    """Return links: a password and a second factor are for local accounts."""
    user: Any = request.user
    if not user.is_authenticated or not user.has_usable_password():
        return []
    return [
        {"title": _("Change password"), "link": reverse("admin:password_change")},
        {"title": _("Second factor"), "link": reverse("sign_in:second_factor")},
    ]
