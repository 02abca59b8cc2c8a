"""How each order is offered on the screen: its words, its sign, what it asks for.

Pages, dialogs and bulk actions are made from this table and from `calls.orders`. An
order that may be given by hand and has no entry here is offered all the same, under its
own name and without arguments.
"""

from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from calls.models import CommandKind
from calls.orders import ORDERS, Order
from calls.orders.speaking import prompts_offered

LOCALES = (
    *("en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "it-IT", "nl-NL", "pt-BR"),
    *("pl-PL", "tr-TR", "ja-JP", "zh-CN"),
)
REASONS = ("card number", "personal data", "off the record")


class Section(models.TextChoices):
    """Where a button stands: its group on the bar, or a participant's row."""

    STREAMING = "streaming", _("Streaming")
    TRANSCRIPTION = "transcription", _("Transcription")
    SPEAKING = "speaking", _("Speaking")
    PEOPLE = "people", _("People")
    MORE = "more", _("More")
    ENDING = "ending", _("Ending")
    PARTICIPANT = "participant", _("Participant")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values a field may have; `audio` is where it can be heard."""

    value: str
    label: str
    audio: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing an order has to be told.

    `example` is a value the order accepts: with it is asked whether the order makes
    sense at all before anything was typed. `quick` are offered as buttons. A `choice`
    is one of `choices`, a `tick` is "yes" or not there.
    """

    name: str
    label: str | Promise
    example: str = ""
    help: str | Promise = ""
    required: bool = True
    suggestions: tuple[str, ...] = ()
    quick: bool = False
    control: Literal["text", "choice", "tick"] = "text"

    @property
    def choices(self) -> list[Choice]:
        """Return what there is to choose from: the library as it is now."""
        if self.control != "choice":
            return []
        return [
            Choice(
                str(prompt.pk), prompt.name, reverse("prompt_audio", args=[prompt.pk])
            )
            for prompt in prompts_offered()
        ]

    @property
    def accepted(self) -> str:
        """Return a value the order accepts; empty if there is nothing to choose."""
        if self.control == "choice":
            return next((one.value for one in self.choices), "")
        return self.example

    @property
    def offered(self) -> tuple[str, ...]:
        """Return what is suggested: caller ids are a setting, others do not change."""
        if self.name == "caller_id":
            return tuple(settings.CALLER_IDS)
        return self.suggestions


TARGET = Field(
    name="target",
    label=_("Whom"),
    # Nobody's: nobody in a call can be meant by it.
    example="8:acs:example",
    help=_(
        "A phone number with its country code (+1206…), or a raw id: 8:acs:… for an"
        " ACS user, 8:orgid:… for a Teams user."
    ),
)
CALLER_ID = Field(
    name="caller_id",
    label=_("Caller id"),
    example="+12065550100",
    help=_("The number of ours that a phone is shown. Phones only."),
    required=False,
)
REASON = Field(
    name="reason",
    label=_("Why"),
    example=REASONS[0],
    help=_("It is shown while the recording is paused, and kept."),
    suggestions=REASONS,
    quick=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One order as it is offered.

    - `warning` says what it does that cannot be undone; it is confirmed first.
    - `note` is said beside the button: what to know before pressing it.
    - `is_bulk`: it makes sense for many calls at once.
    """

    kind: CommandKind
    label: str | Promise
    icon: str = "send"
    section: Section = Section.MORE
    fields: tuple[Field, ...] = ()
    warning: str | Promise = ""
    note: str | Promise = ""
    is_danger: bool = False
    is_bulk: bool = False

    @property
    def order(self) -> Order:
        """Return what is sent and who may send it."""
        return ORDERS[self.kind]

    @property
    def example(self) -> dict[str, str]:
        """Return arguments the order accepts, to ask whether it makes sense."""
        return {field.name: field.accepted for field in self.fields if field.required}

    @property
    def needs_dialog(self) -> bool:
        """Say whether something is asked before it is given."""
        return bool(self.fields or self.warning)


_KNOWN = (
    Button(
        kind=CommandKind.START_STREAMING,
        label=_("Start"),
        icon="play_arrow",
        section=Section.STREAMING,
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.STOP_STREAMING,
        label=_("Stop"),
        icon="stop",
        section=Section.STREAMING,
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.PAUSE,
        label=_("Pause"),
        icon="pause",
        section=Section.STREAMING,
        fields=(REASON,),
        note=_(
            "What is said meanwhile is not recorded, and not counted as lost."
            " Transcription pauses with it."
        ),
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.RESUME,
        label=_("Resume"),
        icon="resume",
        section=Section.STREAMING,
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.START_TRANSCRIPTION,
        label=_("Start"),
        icon="subtitles",
        section=Section.TRANSCRIPTION,
        fields=(
            Field(
                name="locale",
                label=_("Language"),
                example="en-US",
                help=_("Such as en-US or de-DE. Empty: as the call was answered."),
                required=False,
                suggestions=LOCALES,
            ),
        ),
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.STOP_TRANSCRIPTION,
        label=_("Stop"),
        icon="subtitles_off",
        section=Section.TRANSCRIPTION,
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.UPDATE_TRANSCRIPTION,
        label=_("Language"),
        icon="translate",
        section=Section.TRANSCRIPTION,
        fields=(
            Field(
                name="locale",
                label=_("Language"),
                example="en-US",
                help=_("Such as en-US or de-DE."),
                suggestions=LOCALES,
            ),
        ),
    ),
    Button(
        kind=CommandKind.PLAY_PROMPT,
        label=_("Play a prompt"),
        icon="campaign",
        section=Section.SPEAKING,
        fields=(
            Field(name="prompt", label=_("Prompt"), control="choice"),
            Field(
                name="interrupts",
                label=_("Stop first what we are saying"),
                help=_("Otherwise it is heard after that."),
                required=False,
                control="tick",
            ),
        ),
        note=_("Everyone in the call hears it."),
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.STOP_AUDIO,
        label=_("Stop what we play"),
        icon="volume_off",
        section=Section.SPEAKING,
        note=_("What we say into the call ends at once, and what waits is dropped."),
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.ADD_PARTICIPANT,
        label=_("Add"),
        icon="person_add",
        section=Section.PEOPLE,
        fields=(TARGET, CALLER_ID),
    ),
    Button(
        kind=CommandKind.TRANSFER,
        label=_("Transfer"),
        icon="phone_forwarded",
        section=Section.PEOPLE,
        fields=(TARGET, CALLER_ID),
        warning=_("Once they take it, the call leaves us. We cannot take it back."),
        is_danger=True,
    ),
    Button(
        kind=CommandKind.LEAVE,
        label=_("Leave"),
        icon="logout",
        section=Section.ENDING,
        warning=_(
            "The others go on talking, and nothing of it is recorded. Leaving"
            " cannot be undone."
        ),
        is_danger=True,
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.HANG_UP,
        label=_("Hang up"),
        icon="call_end",
        section=Section.ENDING,
        warning=_("The call ends for all participants at once. This cannot be undone."),
        is_danger=True,
        is_bulk=True,
    ),
    Button(
        kind=CommandKind.MUTE,
        label=_("Mute"),
        icon="mic_off",
        section=Section.PARTICIPANT,
        warning=_("ACS has no unmute: only they can unmute themselves."),
    ),
    Button(
        kind=CommandKind.HOLD,
        label=_("Hold"),
        icon="phone_paused",
        section=Section.PARTICIPANT,
    ),
    Button(
        kind=CommandKind.UNHOLD,
        label=_("Off hold"),
        icon="phone_in_talk",
        section=Section.PARTICIPANT,
    ),
    Button(
        kind=CommandKind.START_TONES,
        label=_("Hear keys"),
        icon="dialpad",
        section=Section.PARTICIPANT,
        note=_(
            "ACS tells of the keys they press by callbacks, besides the media socket."
        ),
    ),
    Button(
        kind=CommandKind.STOP_TONES,
        label=_("Stop keys"),
        icon="do_not_touch",
        section=Section.PARTICIPANT,
        note=_(
            "No callback tells of their keys any more; the media socket still does."
        ),
    ),
    Button(
        kind=CommandKind.REMOVE_PARTICIPANT,
        label=_("Remove"),
        icon="person_remove",
        section=Section.PARTICIPANT,
        warning=_("They are taken out of the call at once. This cannot be undone."),
        is_danger=True,
    ),
)
_BY_KIND = {button.kind: button for button in _KNOWN}


def button_of(kind: str) -> Button:
    """Return how an order is offered."""
    found = CommandKind(kind)
    return _BY_KIND.get(found) or Button(kind=found, label=str(found.label))


def buttons_by_hand() -> list[Button]:
    """Return every order that may be given about a call that is there, in order."""
    kinds = [kind for kind, order in ORDERS.items() if order.by_hand]
    known = [button for button in _KNOWN if button.kind in kinds]
    return known + [button_of(kind) for kind in kinds if kind not in _BY_KIND]
