"""Single sign-on by OpenID Connect: Authlib speaks it, this says who may come in.

Code flow with PKCE, state and nonce. Of the id token, signature (asymmetric only),
issuer, audience, expiry and nonce are checked. A user is found by issuer and subject,
which never change; roles are those of the token, anew at each sign-in.
"""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from joserfc.errors import JoseError

from calls.audit import log as audit_log
from calls.batches import storable
from calls.doors.strikes import Strikes
from calls.groups import RIGHTS
from calls.models import AuditAction, SsoIdentity

log = logging.getLogger(__name__)

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256")
# Clocks of two machines.
LEEWAY_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 10
LONGEST_NAME: Final = 150
# Of what led to nobody, so many a minute and source are on the audit log.
NOTED_FAILURES: Final = 10


class NotSignedInError(Exception):
    """Single sign-on led to nothing; the message is for whoever tried."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What we take from an id token."""

    issuer: str
    subject: str
    name: str
    email: str
    given_name: str
    family_name: str
    roles: frozenset[str]


class _Provider(DjangoOAuth2App):
    """The provider, trusted for what its own document says, and no more."""

    def load_server_metadata(self) -> dict[str, Any]:
        """Return the discovery document; refuse one that is somebody else's."""
        document: dict[str, Any] = super().load_server_metadata()
        if document.get("issuer") != settings.OIDC_ISSUER:
            self.server_metadata: dict[str, Any] = {}
            log.error("single sign-on: the discovery document names another issuer")
            raise NotSignedInError(_("The identity provider is not the one expected."))
        # The token's algorithm is our choice: never none, never a shared secret.
        document["id_token_signing_alg_values_supported"] = list(ALGORITHMS)
        return document


class _OAuth(OAuth):
    oauth2_client_cls = _Provider


@cache
def _provider(issuer: str, client_id: str, client_secret: str, scopes: str) -> Any:
    """Return the client; discovery document and keys are kept with it."""
    return _OAuth().register(
        "sso",
        client_id=client_id,
        client_secret=client_secret or None,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": scopes,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": (
                "client_secret_post" if client_secret else "none"
            ),
            "default_timeout": PATIENCE_SECONDS,
        },
    )


def provider() -> Any:
    """Return the client for the provider that is configured."""
    return _provider(
        settings.OIDC_ISSUER,
        settings.OIDC_CLIENT_ID,
        settings.OIDC_CLIENT_SECRET,
        settings.OIDC_SCOPES,
    )


@cache
def failures() -> Strikes:
    """Return this process's count of sign-ins that led to nobody."""
    return Strikes(NOTED_FAILURES)


def is_on() -> bool:
    """Say whether single sign-on is configured."""
    return bool(settings.OIDC_ISSUER and settings.OIDC_CLIENT_ID)


def begin(request: HttpRequest, back_to: str) -> HttpResponse:
    """Send a browser to the provider. Raises `NotSignedInError`."""
    try:
        answer: HttpResponse = provider().authorize_redirect(request, back_to)
    except (requests.RequestException, ValueError, KeyError, RuntimeError) as exc:
        log.error("single sign-on: no discovery document: %s", type(exc).__name__)
        words = _("The identity provider does not answer. Try again in a minute.")
        raise NotSignedInError(words) from exc
    return answer


def is_awaited(request: HttpRequest) -> bool:
    """Say whether this session has begun what comes back from the provider here."""
    kept = provider().framework.get_state_data(request.session, _state(request))
    return kept is not None


def _state(request: HttpRequest) -> str:
    return str(request.GET.get("state", ""))


def claims_of(request: HttpRequest) -> Claims:
    """Return who comes back from the provider. Raises `NotSignedInError`."""
    if request.GET.get("error"):
        provider().framework.clear_state_data(request.session, _state(request))
        raise NotSignedInError(_("The identity provider did not let you in."))
    expected = {
        "iss": {"essential": True, "value": settings.OIDC_ISSUER},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
        "nonce": {"essential": True},
    }
    try:
        token = provider().authorize_access_token(
            request, claims_options=expected, leeway=LEEWAY_SECONDS
        )
    except (OAuthError, JoseError) as exc:
        # Its kind alone: the text may quote what was in the token.
        log.warning("single sign-on refused: %s", type(exc).__name__)
        words = _("What the identity provider sent is not valid. Sign in again.")
        raise NotSignedInError(words) from exc
    except (requests.RequestException, ValueError, KeyError, RuntimeError) as exc:
        log.error("single sign-on failed: %s", type(exc).__name__)
        words = _("The identity provider does not answer. Try again in a minute.")
        raise NotSignedInError(words) from exc
    told = token.get("userinfo")
    if not told:
        raise NotSignedInError(_("The identity provider sent no identity."))
    return _claims(told)


def _claims(told: Any) -> Claims:
    name = told.get("preferred_username") or told.get("email") or told["sub"]
    return Claims(
        issuer=str(told["iss"]),
        subject=str(told["sub"]),
        name=storable(str(name), LONGEST_NAME),
        email=storable(str(told.get("email") or ""), 254),
        given_name=storable(str(told.get("given_name") or ""), LONGEST_NAME),
        family_name=storable(str(told.get("family_name") or ""), LONGEST_NAME),
        roles=_roles(told),
    )


def _roles(told: Any) -> frozenset[str]:
    """Return our roles for what the token's claims list. Raises `NotSignedInError`."""
    listed: set[str] = set()
    for claim in settings.OIDC_CLAIMS:
        given = told.get(claim) or []
        listed.update([given] if isinstance(given, str) else map(str, given))
    roles = {settings.OIDC_ROLES[one] for one in listed if one in settings.OIDC_ROLES}
    if not roles and set(told.get("_claim_names") or ()) & set(settings.OIDC_CLAIMS):
        # Entra ID's way to say that they would not fit.
        log.error("single sign-on: too many groups for the token; use app roles")
        words = _("You are in more groups than the token can list. Tell an"
                  " administrator: app roles are needed.")  # fmt: skip
        raise NotSignedInError(words)
    return frozenset(roles)


def user_of(claims: Claims, address: str = "") -> User:
    """Return the user with the roles of this sign-in. Raises `NotSignedInError`.

    What it makes of the user is on the audit log, or is not done.
    """
    with transaction.atomic():
        user, refusal = _user(claims, address)
    # Outside: who lost the last role keeps none, though they are refused.
    if refusal or user is None:
        raise NotSignedInError(refusal)
    return user


def _user(claims: Claims, address: str) -> tuple[User | None, str]:
    known = SsoIdentity.objects.select_related("user").filter(
        issuer=claims.issuer, subject=claims.subject
    )
    identity = known.select_for_update(of=("self",)).first()
    if identity is not None:
        before, after = _roles_set(identity.user, claims.roles)
        if before != after:
            _note(identity.user, "changed", {"groups": [before, after]}, address)
    if not claims.roles:
        return None, _(
            "You are known, but you have no role here. Ask an administrator for one."
        )
    if identity is None and User.objects.filter(username=claims.name).exists():
        return None, _(
            "There is a local account with your name, %(name)s. An administrator can"
            " connect it to you: add the identity %(subject)s on the account's page."
        ) % {"name": claims.name, "subject": claims.subject}
    user = identity.user if identity else _user_make(claims, address)
    if not (user.is_active and user.is_staff):
        return None, _("Your account is switched off. Ask an administrator.")
    SsoIdentity.objects.update_or_create(
        issuer=claims.issuer,
        subject=claims.subject,
        defaults={"user": user, "seen_at": timezone.now()},
    )
    return user, ""


def _user_make(claims: Claims, address: str) -> User:
    user = User(
        username=claims.name,
        email=claims.email,
        first_name=claims.given_name,
        last_name=claims.family_name,
        is_staff=True,
    )
    user.set_unusable_password()
    user.save()
    _, groups = _roles_set(user, claims.roles)
    made = {"username": user.username, "subject": claims.subject, "groups": groups}
    _note(user, "added", made, address)
    return user


def _note(user: User, how: str, fields: dict[str, Any], address: str) -> None:
    """Put on the audit log what the provider's word made of a user."""
    details = {"how": how, "by": "single sign-on", "fields": fields}
    audit_log.note(
        AuditAction.USER_CHANGED,
        actor=None,
        obj=user,
        details=details,
        address=address,
    )


def _roles_set(user: User, roles: frozenset[str]) -> tuple[list[str], list[str]]:
    """Give a user these roles and no other; groups of the site's own stay.

    Returns the names of the user's groups before and after.
    """
    before = _groups(user)
    gone = user.groups.filter(name__in=set(RIGHTS) - roles)
    user.groups.remove(*gone)
    user.groups.add(*Group.objects.filter(name__in=roles))
    return before, _groups(user)


def _groups(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def leave_url(back_to: str) -> str:
    """Return where one signs out of the provider, too; empty if it has no such place.

    It is not asked over the network here: signing out must not wait for anybody.
    """
    known = provider().server_metadata if is_on() else {}
    if not known.get("end_session_endpoint"):
        return ""
    made = provider().create_logout_url(
        post_logout_redirect_uri=back_to, client_id=settings.OIDC_CLIENT_ID
    )
    return str(made["url"])
