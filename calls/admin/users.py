"""Users and groups, with Unfold's forms."""

from http.client import FOUND
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from calls.admin.auditing import AuditedAdmin, change_note
from calls.audit.words import HIDDEN
from calls.groups import RIGHTS, rights_rows
from calls.models import SsoIdentity
from calls.sign_in import second_factor
from calls.sign_in.lockout import unlock

admin.site.unregister(User)
admin.site.unregister(Group)
# Their pages show the secrets of second factors.
admin.site.unregister(StaticDevice)
admin.site.unregister(TOTPDevice)


class IdentityInline(TabularInline):
    """Who a user is at the identity provider: to connect a local account with it."""

    model = SsoIdentity
    extra = 0
    fields = ("issuer", "subject", "seen_at")
    readonly_fields = ("seen_at",)


@admin.register(User)
class ConsoleUserAdmin(UserAdmin, AuditedAdmin):  # type: ignore[misc,type-arg] # Unfold's recipe
    """Who may use the console.

    Whoever is no superuser makes nobody one, and touches none: to change users would
    else be to have every right.
    """

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "last_login")
    list_per_page = 50
    actions = ("second_factor_reset", "sign_in_unlock")
    inlines = (IdentityInline,)

    @admin.action(description=_("Reset the second factor"), permissions=["change"])
    def second_factor_reset(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Forget the apps and recovery codes of users who lost theirs."""
        number = 0
        for user in self._within_reach(request, users):
            if second_factor.reset(user):
                change_note(request, user, {"how": "second factor reset"})
                number += 1
        self.message_user(request, _("%d reset.") % number)

    @admin.action(description=_("Unlock signing in"), permissions=["change"])
    def sign_in_unlock(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Let users try again at once who failed too often."""
        chosen = self._within_reach(request, users)
        for user in chosen:
            unlock(request, user)
        self.message_user(request, _("%d unlocked.") % len(chosen))

    def goes_with(self, obj: Any) -> dict[str, Any]:
        """Return who the user was at the identity provider."""
        identities = [str(one) for one in SsoIdentity.objects.filter(user=obj)]
        return {"identities": identities} if identities else {}

    def _within_reach(self, request: HttpRequest, users: QuerySet[User]) -> list[User]:
        return [user for user in users if self._may_touch(request, user)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what only superusers may change of a user, beside the usual."""
        usual = tuple(super().get_readonly_fields(request, obj))
        if request.user.is_superuser:
            return usual
        return (*usual, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether a user may be changed; superusers by superusers only."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether a user may be deleted; superusers by superusers only."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and self._may_touch(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Any) -> bool:
        is_above = isinstance(obj, User) and obj.is_superuser
        return bool(request.user.is_superuser) or not is_above


def password_change(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
    """Let somebody change their own password, and note that they did."""
    with transaction.atomic():
        response = _password_change(request, *args, **kwargs)
        if request.method == "POST" and response.status_code == FOUND:
            fields = {"password": [HIDDEN, HIDDEN]}
            user = User.objects.get(username=request.user.get_username())
            change_note(request, user, {"how": "changed", "fields": fields})
    return response


_password_change = admin.site.password_change
admin.site.password_change = password_change  # type: ignore[method-assign]


@admin.register(Group)
class ConsoleGroupAdmin(GroupAdmin, AuditedAdmin):  # type: ignore[misc] # Unfold's recipe
    """What a kind of user may do."""

    list_per_page = 50
    list_before_template: Any = "admin/calls/groups_before.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the groups, and above them what the six roles are made with."""
        table = {"roles": list(RIGHTS), "rights": rights_rows()}
        response: HttpResponse = super().changelist_view(
            request, (extra_context or {}) | table
        )
        return response
