"""Whose password counts, and users that the identity provider vouches for."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from calls.audit.log import address_of
from calls.models import SsoIdentity
from calls.sign_in.lockout import wait_for

LOCAL = "calls.sign_in.backends.LocalBackend"
SINGLE_SIGN_ON = "calls.sign_in.backends.SingleSignOnBackend"
# On a request: for how many seconds nobody may try this name from there.
WAIT = "sign_in_wait"
# On a request: the password was right, and the identity provider has to say so.
ELSEWHERE = "sign_in_elsewhere"


class LocalBackend(ModelBackend):
    """A name and a password, unless they were guessed at too often.

    The password is not even looked at while somebody has to wait, whoever they are.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> Any:
        """Return the user; None or PermissionDenied if it is not to be."""
        if username is None or password is None:
            return None
        wait = wait_for(username, address_of(request))
        if wait:
            if request is not None:
                setattr(request, WAIT, wait.total_seconds())
            raise PermissionDenied
        if not password_counts(username):
            raise PermissionDenied
        user = super().authenticate(request, username=username, password=password)
        if user is not None and is_vouched_for(user):
            if request is not None:
                setattr(request, ELSEWHERE, True)
            raise PermissionDenied
        return user

    async def aauthenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> Any:
        """Do the same: Django's own would not ask whether somebody has to wait."""
        return await sync_to_async(self.authenticate)(request, username, password)

    def user_can_authenticate(self, user: Any) -> bool:
        """Say whether a user may be signed in; asked anew at each request.

        Every page and socket is for staff, whatever else a user's groups allow.
        """
        return super().user_can_authenticate(user) and bool(user.is_staff)


class SingleSignOnBackend(BaseBackend):
    """Finds the user of a session that single sign-on began. Rights are the other's."""

    def get_user(self, user_id: int) -> User | None:
        """Return the user, if they are still active staff."""
        return User.objects.filter(pk=user_id, is_active=True, is_staff=True).first()


def password_counts(username: str) -> bool:
    """Say whether this name may come in with a password at all."""
    return not settings.SSO_ONLY or username == settings.BREAK_GLASS


def is_vouched_for(user: User) -> bool:
    """Say whether the identity provider alone lets this user in.

    Whom it knows no more would else come in by a password, with the roles of the last
    time. It makes nobody a superuser, so it unmakes none.
    """
    if not (settings.OIDC_ISSUER and settings.OIDC_CLIENT_ID):
        return False
    if user.is_superuser or user.get_username() == settings.BREAK_GLASS:
        return False
    known = SsoIdentity.objects.filter(user=user, issuer=settings.OIDC_ISSUER)
    return bool(known.exists())
