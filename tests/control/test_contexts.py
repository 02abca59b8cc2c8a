"""The right to answer a call is kept while it may be used, and nowhere else."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db.models import JSONField, TextField
from django.utils import timezone

from calls import control
from calls.control.settling import command_settle
from calls.lifecycle import contexts_forget
from calls.models import Call, CallState, CommandKind, StreamCommand
from calls.models.control import CommandState
from tests.control.wire import incoming_call, post_eventgrid

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def kept() -> set[str]:
    """Return where in the database anything of the context of 8 kB lies."""
    return {
        f"{model._meta.model_name}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, TextField | JSONField)
        for value in model._default_manager.values_list(field.name, flat=True)
        if "cccccccc" in str(value)
    }


def rung() -> Call:
    post_eventgrid(incoming_call())
    call: Call = Call.objects.get()
    return call


def test_keeps_it_in_the_calls_row_alone() -> None:
    rung()

    assert kept() == {"call.incoming_call_context"}


@pytest.mark.parametrize("kind", [CommandKind.REJECT, CommandKind.REDIRECT])
def test_forgets_it_once_acs_has_taken_the_call_away(kind: CommandKind) -> None:
    call = rung()
    command = StreamCommand.objects.create(
        call=call, kind=kind, state=CommandState.SENT, arguments={}
    )

    command_settle(command.id, CommandState.CONFIRMED, words="Done.")

    assert kept() == set()


def test_forgets_it_when_nothing_more_is_heard_of_the_call() -> None:
    call = rung()
    rang = timezone.now() - timedelta(minutes=6)
    Call.objects.update(rang_at=timezone.now() - timedelta(minutes=4))
    assert contexts_forget(timezone.now()) == 0
    assert kept()

    Call.objects.update(rang_at=rang)

    assert contexts_forget(timezone.now()) == 1
    assert kept() == set()
    call.refresh_from_db()
    assert call.state == CallState.RINGING
    with pytest.raises(control.CommandRefused, match="any more"):
        control.command_ask(call=call, kind=CommandKind.REJECT, arguments={})
