"""The pages “Place a call” and “Connect to a running call”."""

import re
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from calls import formats
from calls.audit import log as audit_log
from calls.models import Call, CommandKind, StreamingProfile
from calls.orders import ORDERS, CommandRefused
from calls.placing import Ask, call_connect, call_place
from calls.raw_ids import NotAnIdError, raw_id_read

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# What is rung, or joined: its name, and the form its id has.
WHO = {
    "phone": ("A phone", "With its country code, such as +1 206 555 0100."),
    "acs": ("An ACS user", "The raw id: 8:acs:<resource>_<user>."),
    "teams": (
        "A Teams user",
        "The user's object id in Entra ID (a GUID), or the raw id: 8:orgid:<GUID>.",
    ),
}
LOCATORS = {
    "server_call_id": (
        "Server call id",
        "As events and the page of a call have it: a long text without spaces.",
    ),
    "group_call_id": ("Group call id", "The GUID its members joined with."),
    "room_id": ("Room id", "The number ACS gave the room when it was made."),
}
_PREFIXES = {"phone": ("4:",), "acs": ("8:acs:",)}


class BeginForm(forms.Form):
    """What both pages ask for. `call_id` makes a form that comes twice one call."""

    call_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    profile = forms.ModelChoiceField(
        StreamingProfile.objects.all(),
        required=False,
        empty_label="The default profile",
    )

    def begin(self, asked_by: User, ask: Ask) -> Call:
        """Make the call of a valid form. Raises `CommandRefused`."""
        raise NotImplementedError


class PlaceForm(BeginForm):
    """Whom to ring, and from which number."""

    choices = WHO
    chooser, typed = "who", "target"
    who = forms.ChoiceField(
        choices=[(key, name) for key, (name, _) in WHO.items()], initial="phone"
    )
    target = forms.CharField(
        label="Whom", error_messages={"required": "Say whom to ring."}
    )
    caller_id = forms.CharField(label="Caller id", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.CALLER_IDS:
            offered = [(one, formats.party(f"4:{one}")) for one in settings.CALLER_IDS]
            self.fields["caller_id"] = forms.ChoiceField(
                label="Caller id", choices=offered, required=False
            )

    def clean(self) -> dict[str, Any]:
        """Say beside each field what is wrong with it."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        who, target = found.get("who"), (found.get("target") or "").strip()
        if who == "teams" and _GUID.fullmatch(target):
            target = f"8:orgid:{target.lower()}"
        if target:
            found["target"] = self._read("target", target)
            self._check_kind(str(who), found["target"])
        found["caller_id"] = self._caller_id(found) if who == "phone" else ""
        return found

    def _caller_id(self, found: dict[str, Any]) -> str:
        if "caller_id" in self.errors:
            return ""
        if not (typed := found.get("caller_id")):
            self.add_error("caller_id", "To ring a phone, ACS needs a number of ours.")
            return ""
        raw_id = self._read("caller_id", typed)
        if raw_id and not raw_id.startswith("4:"):
            self.add_error("caller_id", "It must be a phone number such as +1206….")
        return raw_id

    def _read(self, field: str, text: str) -> str:
        try:
            return raw_id_read(text)
        except NotAnIdError as exc:
            self.add_error(field, str(exc))
            return ""

    def _check_kind(self, who: str, raw_id: str) -> None:
        """Refuse an id of another kind than was chosen."""
        if not raw_id or who not in WHO:
            return
        name, form = WHO[who]
        fits = raw_id.startswith(_PREFIXES.get(who, ("8:orgid:", "8:gcch:", "8:dod:")))
        if not fits:
            self.add_error(
                "target", f"That is not the id of {name[0].lower()}{name[1:]}. {form}"
            )

    def begin(self, asked_by: User, ask: Ask) -> Call:
        """Ring."""
        given = self.cleaned_data
        return call_place(
            target=given["target"],
            caller_id=given["caller_id"],
            profile=given["profile"],
            asked_by=asked_by,
            ask=ask,
            call_id=given["call_id"],
        )


class ConnectForm(BeginForm):
    """Which running call to join."""

    choices = LOCATORS
    chooser, typed = "kind", "locator"
    kind = forms.ChoiceField(
        choices=[(key, name) for key, (name, _) in LOCATORS.items()],
        initial="server_call_id",
    )
    locator = forms.CharField(
        label="Its id",
        max_length=2000,
        error_messages={"required": "Say which call: its id is missing."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        profile: Any = self.fields["profile"]
        profile.empty_label = "The default profile"

    def clean_locator(self) -> str:
        """Refuse what can be no id of the kind chosen."""
        text: str = self.cleaned_data["locator"].strip()
        kind = self.data.get("kind")
        if kind == "group_call_id" and not _GUID.fullmatch(text):
            raise forms.ValidationError(f"A group call id is a GUID. {_EXAMPLE}")
        if re.search(r"\s", text):
            raise forms.ValidationError("An id has no spaces.")
        return text

    def begin(self, asked_by: User, ask: Ask) -> Call:
        """Join."""
        given = self.cleaned_data
        return call_connect(
            locator_kind=given["kind"],
            locator_id=given["locator"],
            profile=given["profile"],
            asked_by=asked_by,
            ask=ask,
            call_id=given["call_id"],
        )


_EXAMPLE = "Such as 6d3f7c4e-0000-4000-8000-2d7302cf04bf."
_FORMS: dict[CommandKind, Callable[..., PlaceForm | ConnectForm]] = {
    CommandKind.PLACE_CALL: PlaceForm,
    CommandKind.CONNECT_CALL: ConnectForm,
}


def begin_page(
    site: AdminSite, request: HttpRequest, kind: CommandKind
) -> HttpResponse:
    """Ask whom to ring or what to join, do it, and go to the call's page."""
    if not request.user.has_perm(ORDERS[kind].permission):
        audit_log.note_forbidden(request, kind)
        raise PermissionDenied
    form = _FORMS[kind](request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ask = partial(audit_log.command_ask_noted, request)
            call = form.begin(cast(User, request.user), ask)
        except CommandRefused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("admin:calls_call_change", call.pk)
    context = {
        **site.each_context(request),
        "title": kind.label,
        "opts": Call._meta,
        "form": form,
        "chooser": form[form.chooser],
        "typed": form[form.typed],
        "choices": [(key, *words) for key, words in form.choices.items()],
        "chosen": form[form.chooser].value(),
        "caller_ids": settings.CALLER_IDS,
    }
    return TemplateResponse(request, "admin/calls/begin.html", context)
