"""What people type to come in."""

import math
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from calls.sign_in.backends import ELSEWHERE, WAIT


class LoginForm(AuthenticationForm):
    """Name and password. Who must wait is told so, whether the name exists or not."""

    def get_invalid_login_error(self) -> ValidationError:
        """Return what to say: one thing for every wrong name and password."""
        wait = getattr(self.request, WAIT, 0)
        if wait:
            return ValidationError(wait_words(wait), code="locked")
        if hasattr(self.request, ELSEWHERE):
            words = _("This account signs in by single sign-on, not by a password.")
            return ValidationError(words, code="elsewhere")
        error: ValidationError = super().get_invalid_login_error()
        return error


class CodeForm(forms.Form):
    """A code from an app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": ""}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


def wait_words(seconds: float) -> str:
    """Return how long somebody has to wait, in words."""
    minutes = math.ceil(seconds / 60)
    words = ngettext(
        "Too many attempts. Try again in a minute.",
        "Too many attempts. Try again in %(minutes)d minutes.",
        minutes,
    )
    return words % {"minutes": minutes}
