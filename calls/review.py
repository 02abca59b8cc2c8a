"""What people make of a call: notes, tags, a rating, and who is to follow it up.

Each service changes one thing and notes it on the audit log, or does neither. What
makes no sense is refused in words, and nothing is changed.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, TypedDict

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from calls import formats
from calls.audit import log as audit_log
from calls.models import AuditAction, Call, CallNote, Tag

MOST_TAGS = 20
LONGEST_TAG = 40
LONGEST_NOTE = 4_000
BEST_RATING = 5
# A moment later than this is in no call.
LONGEST_CALL = 7 * 24 * 3_600.0
MOST_ASSIGNEES = 500


class ReviewRefusedError(Exception):
    """Why something cannot be, in words for the user."""


class NoteJson(TypedDict):
    """A note. `at`: seconds on the call's clock, None for the whole call."""

    id: int
    author: str
    text: str
    written_at: str
    at: float | None
    mine: bool


class PersonJson(TypedDict):
    """Somebody who may be given a call to follow up."""

    id: int
    name: str


class ReviewJson(TypedDict):
    """What people have made of a call so far."""

    rating: int | None
    follow_up: bool
    assignee: PersonJson | None
    tags: list[str]
    notes: list[NoteJson]


def review_of(call: Call, viewer: Any) -> ReviewJson:
    """Return what people have made of a call, as `viewer` sees it."""
    assignee = call.follow_up_assignee
    return {
        "rating": call.rating,
        "follow_up": call.needs_follow_up,
        "assignee": person(assignee) if assignee else None,
        "tags": [tag.name for tag in call.tags.all()],
        "notes": [_note(one, call, viewer) for one in call.notes.all()],
    }


def _note(note: CallNote, call: Call, viewer: Any) -> NoteJson:
    at = None
    if note.at_us is not None and call.origin_us is not None:
        at = (note.at_us - call.origin_us) / 1e6
    return {
        "id": note.pk,
        "author": note.author_name,
        "text": note.text,
        "written_at": note.written_at.isoformat(),
        "at": at,
        "mine": note.author_id is not None and note.author_id == viewer.pk,
    }


def person(user: AbstractUser) -> PersonJson:
    """Return a user as a list to choose from names them."""
    return {"id": user.pk, "name": user.get_full_name() or user.get_username()}


def assignees() -> list[PersonJson]:
    """Return whom a call may be given to: who may see calls."""
    allowed = get_user_model().objects.with_perm(
        "calls.view_call", backend="django.contrib.auth.backends.ModelBackend"
    )
    found = [person(user) for user in allowed.order_by("username")[:MOST_ASSIGNEES]]
    return sorted(found, key=lambda one: one["name"].casefold())


def tag_names(beginning: str = "", *, most: int = 50) -> list[str]:
    """Return tags that are in use somewhere or were, for completion."""
    found = Tag.objects.filter(name__startswith=beginning.casefold())
    return list(found.values_list("name", flat=True)[:most])


# --- notes ----------------------------------------------------------------------------


def note_add(
    request: HttpRequest, call: Call, *, text: str, at: float | None = None
) -> CallNote:
    """Add a note, perhaps about the moment `at` seconds on the call's clock."""
    text = clean(text)
    if not text:
        raise ReviewRefusedError(_("A note needs some words."))
    if len(text) > LONGEST_NOTE:
        raise ReviewRefusedError(
            _("A note may have %(most)s characters; this one has %(count)s.")
            % {"most": LONGEST_NOTE, "count": len(text)}
        )
    at_us = None if at is None else _moment(call, at)
    words = _("wrote a note")
    if at is not None:
        words = _("wrote a note about %(moment)s") % {"moment": formats.clock(at)}
    with transaction.atomic():
        note = call.notes.create(
            author_id=request.user.pk,
            author_name=_name(request),
            text=text,
            at_us=at_us,
        )
        _tell(request, call, words, note=note.pk)
    return note


def _moment(call: Call, at: float) -> int:
    if call.origin_us is None:
        raise ReviewRefusedError(_("The call has no audio yet, so it has no moments."))
    # Not a number compares with nothing.
    if not 0 <= at <= LONGEST_CALL:
        raise ReviewRefusedError(_("There is no such moment in a call."))
    return call.origin_us + round(at * 1e6)


def note_delete(request: HttpRequest, call: Call, note_id: int) -> None:
    """Delete a note of one's own. What it said stays with nobody."""
    with transaction.atomic():
        note = call.notes.filter(pk=note_id).first()
        if note is None:
            raise ReviewRefusedError(_("The note is not there any more."))
        if note.author_id != request.user.pk:
            raise ReviewRefusedError(_("Only who wrote a note may delete it."))
        note.delete()
        _tell(request, call, _("deleted a note of their own"), note=note_id)


# --- tags -----------------------------------------------------------------------------


def tag_add(request: HttpRequest, call: Call, name: str) -> str:
    """Tag a call; a tag that does not exist is made. Return the tag as it is kept."""
    name = tag_name(name)
    with transaction.atomic():
        tagged = _locked(call).tags
        if tagged.filter(name=name).exists():
            return name
        if tagged.count() >= MOST_TAGS:
            raise ReviewRefusedError(
                _("A call may have %(most)s tags.") % {"most": MOST_TAGS}
            )
        tag, _is_new = Tag.objects.get_or_create(name=name)
        tagged.add(tag)
        _tell(request, call, _("tagged the call “%(tag)s”") % {"tag": name})
    return name


def tag_remove(request: HttpRequest, call: Call, name: str) -> None:
    """Take a tag off a call; one it does not have is none to take off."""
    with transaction.atomic():
        tag = call.tags.filter(name=name).first()
        if tag is not None:
            call.tags.remove(tag)
            words = _("took the tag “%(tag)s” off the call") % {"tag": name}
            _tell(request, call, words)


def tag_name(text: str) -> str:
    """Return a tag as it is kept: small letters, single spaces."""
    name = " ".join(clean(text).lower().split())
    if not name:
        raise ReviewRefusedError(_("A tag needs a word."))
    if len(name) > LONGEST_TAG:
        raise ReviewRefusedError(
            _("A tag may have %(most)s characters.") % {"most": LONGEST_TAG}
        )
    return name


# --- rating and follow-up -------------------------------------------------------------


def rating_set(request: HttpRequest, call: Call, rating: int | None) -> None:
    """Rate a call from 1, bad, to 5, good; None takes the rating back."""
    if rating is not None and not 1 <= rating <= BEST_RATING:
        raise ReviewRefusedError(_("A rating is 1 to 5."))
    words = _("took the rating back")
    if rating is not None:
        words = _("rated the call %(rating)s") % {"rating": rating}
    with transaction.atomic():
        if _update(call, rating=rating):
            _tell(request, call, words)


def follow_up_set(
    request: HttpRequest, call: Call, *, needed: bool, assignee_id: int | None
) -> None:
    """Say whether a call is to be followed up, and by whom."""
    assignee = None
    if needed and assignee_id is not None:
        known = {one["id"]: one for one in assignees()}
        assignee = known.get(assignee_id)
        if assignee is None:
            raise ReviewRefusedError(_("They may not see calls, or are gone."))
    if not needed:
        words = _("needs no follow-up of the call")
    elif assignee is None:
        words = _("marked the call for follow-up")
    else:
        name = assignee["name"]
        words = _("gave the call to %(name)s to follow up") % {"name": name}
    with transaction.atomic():
        if _update(
            call,
            needs_follow_up=needed,
            follow_up_assignee_id=assignee["id"] if assignee else None,
        ):
            _tell(request, call, words)


# --- what they share ------------------------------------------------------------------


def clean(text: str) -> str:
    """Return text as it can be kept anywhere: composed, no control characters."""
    composed = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    kept = (
        char for char in composed if char == "\n" or unicodedata.category(char) != "Cc"
    )
    return "".join(kept).strip()


def _locked(call: Call) -> Call:
    return Call.objects.select_for_update().only("pk").get(pk=call.pk)


def _update(call: Call, **fields: Any) -> bool:
    """Set fields of the row; say whether that changed anything."""
    changed = bool(Call.objects.filter(pk=call.pk).exclude(**fields).update(**fields))
    for name, value in fields.items():
        setattr(call, name, value)
    return changed


def _name(request: HttpRequest) -> str:
    user = request.user
    names: Sequence[str] = (
        getattr(user, "get_full_name", str)(),
        user.get_username(),
    )
    return next(filter(None, names), "")[:255]


def _tell(request: HttpRequest, call: Call, words: str, **details: object) -> None:
    audit_log.note_request(
        AuditAction.CALL_REVIEWED, request, call=call, details={"did": words, **details}
    )
