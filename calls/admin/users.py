"""Users and groups, with Unfold's forms."""

from http.client import FOUND
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from calls.admin.auditing import AuditedAdmin, change_note
from calls.audit_words import HIDDEN

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class ConsoleUserAdmin(UserAdmin, AuditedAdmin):  # type: ignore[misc,type-arg] # Unfold's recipe
    """Who may use the console."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "last_login")
    list_per_page = 50


def password_change(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
    """Let somebody change their own password, and note that they did."""
    with transaction.atomic():
        response = _password_change(request, *args, **kwargs)
        if request.method == "POST" and response.status_code == FOUND:
            fields = {"password": [HIDDEN, HIDDEN]}
            change_note(request, request.user, {"how": "changed", "fields": fields})
    return response


_password_change = admin.site.password_change
admin.site.password_change = password_change  # type: ignore[method-assign]


@admin.register(Group)
class ConsoleGroupAdmin(GroupAdmin, AuditedAdmin):  # type: ignore[misc] # Unfold's recipe
    """What a kind of user may do."""

    list_per_page = 50
