"""What staff change in the admin, before and after, on the audit log."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models import QuerySet
from django.forms import Form, ModelChoiceField
from django.http import HttpRequest

from calls.admin.searching import BoundedSearch
from calls.audit import log as audit_log
from calls.audit.words import HIDDEN
from calls.models import AuditAction, Prompt

# Of fields with such names the entry says that they changed, not what they hold.
SECRET = ("password", "secret", "token", "key")
CHANGES = "_audit_changes"


class AuditedAdmin(BoundedSearch):
    """Notes every addition, change and deletion made with this admin.

    Django calls these hooks inside the transaction of the change: one that cannot be
    noted is not made. What the hooks add for Django comes first: at the commit its
    references are checked before the chain is taken, which then waits for no row.
    """

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Keep what the form changed: `log_change` is not told."""
        setattr(request, CHANGES, changes_of(form))
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note a new row and what it was made with."""
        entry = super().log_addition(request, obj, message)
        changes = {name: after for name, (_, after) in self._changes(request).items()}
        details = {"how": "added", "fields": changes} | _inlines(message)
        change_note(request, obj, details)
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note a changed row, each changed field before and after."""
        entry = super().log_change(request, obj, message)
        details = {"how": "changed", "fields": self._changes(request)}
        change_note(request, obj, details | _inlines(message))
        return entry

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Note each row that is about to go, with what was in it."""
        entries = super().log_deletions(request, queryset)
        for obj in queryset:
            details = {"how": "deleted", "fields": fields_of(obj)}
            change_note(request, obj, details | self.goes_with(obj))
        return entries

    def goes_with(self, obj: Any) -> dict[str, Any]:
        """Return what the entry of a deletion says of rows that go with this one."""
        return {}

    @staticmethod
    def _changes(request: HttpRequest) -> dict[str, list[Any]]:
        changes: dict[str, list[Any]] = request.__dict__.pop(CHANGES, {})
        return changes


def _inlines(message: Any) -> dict[str, Any]:
    """Return what a change message tells of rows that were changed beside the one."""
    inlines = [part for part in message if "name" in _only(part)]
    return {"inlines": inlines} if inlines else {}


def _only(part: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a part of a change message: {"changed": {…}}."""
    content: dict[str, Any] = next(iter(part.values()), {})
    return content


def change_note(request: HttpRequest, obj: models.Model, details: Any) -> None:
    """Put a change of a row on the audit log."""
    match obj:
        case User() | Group():
            action = AuditAction.USER_CHANGED
        case Prompt():
            action = AuditAction.PROMPT_CHANGED
        case _:
            action = AuditAction.SETTING_CHANGED
    audit_log.note_request(action, request, obj=obj, details=details)


def changes_of(form: Form) -> dict[str, list[Any]]:
    """Return the fields that a valid form changes: name → [before, after]."""
    changes = {}
    for name in form.changed_data:
        if is_secret(name):
            changes[name] = [HIDDEN, HIDDEN]
        elif name in form.cleaned_data:
            changes[name] = [before(form, name), shown(name, form.cleaned_data[name])]
    return changes


def before(form: Form, name: str) -> Any:
    """Return what a field held when the form was made, as `shown`."""
    field = form.fields[name]
    initial = form.get_initial_for_field(field, name)
    if isinstance(field, ModelChoiceField) and not isinstance(initial, list):
        # Of a foreign key a form holds the number.
        initial = field.to_python(initial)
    return shown(name, initial)


def fields_of(obj: models.Model) -> dict[str, Any]:
    """Return the columns of a row, as `shown`."""
    return {
        field.name: shown(field.name, getattr(obj, field.attname))
        for field in obj._meta.concrete_fields
    }


def is_secret(name: str) -> bool:
    """Say whether a field of this name holds what no log may."""
    return any(word in name for word in SECRET)


def shown(name: str, value: Any) -> Any:
    """Return a field's value as JSON that people can read."""
    if is_secret(name):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): shown(str(key), each) for key, each in value.items()}
    if isinstance(value, QuerySet | list | tuple | set):
        return [shown(name, each) for each in value]
    return str(value)
