"""Users and groups, with Unfold's forms."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from calls.admin.auditing import AuditedAdmin
from calls.groups import RIGHTS, rights_rows

admin.site.unregister(User)
admin.site.unregister(Group)


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
