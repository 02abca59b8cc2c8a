"""A streaming profile's form, with one field for each threshold it may have."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

from calls.alarms.thresholds import OF_CALLS, Limit, ThresholdError, profile_thresholds
from calls.handler_names import SHIPPED
from calls.models import AlarmKind, StreamingProfile

PREFIX = "alarm_"
FIELDS = tuple(f"{PREFIX}{limit.name}" for limit in OF_CALLS)


class ThresholdField(forms.FloatField):
    """A number as `Limit` takes it, or nothing: then the installation's holds."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        super().__init__(
            required=False,
            label=f"{AlarmKind(limit.kind).label} ({limit.unit})",
            help_text=limit.purpose,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        )

    def validate(self, value: Any) -> None:
        """Refuse what the threshold cannot be, in its unit."""
        super().validate(value)
        if value is not None and (fault := self.limit.fault(value)):
            raise forms.ValidationError(fault[0].upper() + fault[1:] + ".")


class HandlerInput(UnfoldAdminTextInputWidget):
    """A text that offers the handlers that are shipped, and takes any other."""

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        """Return the field and what it offers."""
        offered = f"{name}-offered"
        field = super().render(name, value, (attrs or {}) | {"list": offered}, renderer)
        options = format_html_join(
            "", '<option value="{}">', ((one,) for one in SHIPPED)
        )
        return format_html('{}<datalist id="{}">{}</datalist>', field, offered, options)


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    """A profile; thresholds that are left empty are the installation's."""

    class Meta:
        model = StreamingProfile
        exclude = ("alarm_thresholds",)  # noqa: DJ006 the admin's fieldsets name them
        widgets = {"handler": HandlerInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance.alarm_thresholds
        for limit in OF_CALLS:
            name = f"{PREFIX}{limit.name}"
            if isinstance(own, dict) and limit.name in own:
                self.initial[name] = own[limit.name]
            if name in self.fields:
                usual = settings.ALARM_THRESHOLDS[limit.name]
                shown = f"{usual:g} {limit.unit}" if usual else _("off")
                self.fields[name].widget.attrs["placeholder"] = shown

    def clean(self) -> dict[str, Any]:
        """Gather the thresholds that were given into the profile's own."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {
            limit.name: cleaned[f"{PREFIX}{limit.name}"]
            for limit in OF_CALLS
            if cleaned.get(f"{PREFIX}{limit.name}") is not None
        }
        try:
            self.instance.alarm_thresholds = profile_thresholds(given)
        except ThresholdError as exc:
            raise forms.ValidationError(str(exc)) from exc
        return cleaned


# Django gathers declared fields when it makes the class: there it takes them by name.
for _limit in OF_CALLS:
    ProfileForm.declared_fields[f"{PREFIX}{_limit.name}"] = ThresholdField(_limit)
    ProfileForm.base_fields[f"{PREFIX}{_limit.name}"] = ThresholdField(_limit)
