"""Users and groups, with Unfold's forms."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from calls.admin.auditing import AuditedAdmin

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


@admin.register(Group)
class ConsoleGroupAdmin(GroupAdmin, AuditedAdmin):  # type: ignore[misc] # Unfold's recipe
    """What a kind of user may do."""

    list_per_page = 50
