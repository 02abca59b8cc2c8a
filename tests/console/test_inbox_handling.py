"""What staff do about alarms: who may, who was first, and what the audit log says."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from calls.alarms.handling import (
    NOBODY,
    Acknowledge,
    Act,
    Assign,
    Close,
    HandlingRefused,
    Reopen,
    alarm_handle,
    alarms_handle,
    handlers,
)
from calls.audit.words import sentence
from calls.history import EntryKind, history_of, rows_of
from calls.models import Alarm, AlarmState, AuditAction, AuditEntry
from tests.control.test_races import at_once
from tests.factories import AlarmFactory, CallFactory, UserFactory, member_of

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture
def ada() -> User:
    return named("ada")


@pytest.fixture
def mei() -> User:
    return named("mei")


def named(name: str) -> User:
    user = member_of("operator")
    user.username = name
    user.save()
    return user


def told() -> list[tuple[str, str]]:
    """Return what the audit log tells of alarms, oldest first."""
    entries = AuditEntry.objects.filter(action=AuditAction.ALARM_CHANGED)
    return [(entry.actor, sentence(entry)) for entry in entries.order_by("pk")]


def refusal(alarm: Alarm, act: Act, by: User) -> str:
    """Return why an act is refused; nothing may have changed by it."""
    before = Alarm.objects.filter(pk=alarm.pk).values().get()
    with pytest.raises(HandlingRefused) as refused:
        alarm_handle(alarm.pk, act, by=by)
    assert Alarm.objects.filter(pk=alarm.pk).values().get() == before
    return str(refused.value)


# --- each act ---------------------------------------------------------------------


def test_acknowledges_in_the_name_of_who_did(ada: User) -> None:
    alarm = AlarmFactory.create()

    alarm_handle(alarm.pk, Acknowledge(), by=ada, address="10.1.2.3")

    alarm.refresh_from_db()
    assert alarm.state == AlarmState.ACKNOWLEDGED
    assert alarm.acknowledged_by == ada
    assert alarm.acknowledged_at is not None
    title = "Dead air: Nobody has spoken for 12 s."
    assert told() == [("ada", f"acknowledged the alarm “{title}”")]
    entry = AuditEntry.objects.get(action=AuditAction.ALARM_CHANGED)
    assert (entry.call_key, entry.object_key) == (alarm.call_id, str(alarm.pk))
    assert entry.address == "10.1.2.3"


def test_assigns_to_somebody_and_to_nobody(ada: User, mei: User) -> None:
    alarm = AlarmFactory.create()

    alarm_handle(alarm.pk, Assign(mei), by=ada)
    alarm.refresh_from_db()
    assert (alarm.assignee, alarm.state) == (mei, AlarmState.OPEN)
    assert alarm.assigned_at is not None

    alarm_handle(alarm.pk, Assign(None), by=mei)
    alarm.refresh_from_db()
    assert alarm.assignee is None
    assert not Alarm.objects.exclude(assigned_at=None).exists()
    assert [(who, words.replace(str(alarm), "it")) for who, words in told()] == [
        ("ada", "assigned the alarm “it” to mei"),
        ("mei", "unassigned the alarm “it”"),
    ]


def test_closes_with_a_reason_and_opens_again(ada: User, mei: User) -> None:
    alarm = AlarmFactory.create()
    alarm_handle(alarm.pk, Acknowledge(), by=mei)

    alarm_handle(alarm.pk, Close("  fixed: new headset "), by=ada)
    alarm.refresh_from_db()
    assert (alarm.state, alarm.closed_by) == (AlarmState.CLOSED, ada)
    assert alarm.close_reason == "fixed: new headset"

    alarm_handle(alarm.pk, Reopen(), by=mei)
    alarm.refresh_from_db()
    assert alarm.state == AlarmState.OPEN
    assert (alarm.closed_at, alarm.closed_by, alarm.close_reason) == (None, None, "")
    assert (alarm.acknowledged_at, alarm.acknowledged_by) == (None, None)
    assert [words.replace(str(alarm), "it") for _, words in told()] == [
        "acknowledged the alarm “it”",
        "closed the alarm “it”, because: fixed: new headset",
        "reopened the alarm “it”",
    ]


def test_takes_back_an_acknowledgement(ada: User) -> None:
    alarm = AlarmFactory.create()
    alarm_handle(alarm.pk, Acknowledge(), by=ada)

    alarm_handle(alarm.pk, Reopen(), by=ada)

    alarm.refresh_from_db()
    assert (alarm.state, alarm.acknowledged_by) == (AlarmState.OPEN, None)
    assert "took back the acknowledgement of the alarm" in told()[-1][1]


# --- what makes no sense ----------------------------------------------------------


def test_says_who_was_first(ada: User, mei: User) -> None:
    alarm = AlarmFactory.create()
    alarm_handle(alarm.pk, Acknowledge(), by=mei)
    assert refusal(alarm, Acknowledge(), ada) == "mei acknowledged it first."
    assert refusal(alarm, Acknowledge(), mei) == "You acknowledged it first."

    alarm_handle(alarm.pk, Close("known problem"), by=mei)
    for act in (Acknowledge(), Assign(ada), Close("fixed")):
        assert refusal(alarm, act, ada) == "mei closed it first: known problem"


def test_does_not_take_what_somebody_else_has_taken(ada: User, mei: User) -> None:
    alarm = AlarmFactory.create()
    alarm_handle(alarm.pk, Assign(mei, was=NOBODY), by=mei)
    taken = "It was assigned to mei meanwhile."
    assert refusal(alarm, Assign(ada, was=NOBODY), ada) == taken
    assert refusal(alarm, Assign(mei), mei) == "It is assigned to you already."

    alarm_handle(alarm.pk, Assign(ada, was=mei.pk), by=ada)
    gone = "It was assigned to ada meanwhile."
    assert refusal(alarm, Assign(None, was=mei.pk), mei) == gone
    alarm_handle(alarm.pk, Assign(None), by=ada)
    assert refusal(alarm, Assign(None), ada) == "It is assigned to nobody already."


def test_refuses_what_makes_sense_for_no_alarm(ada: User) -> None:
    alarm = AlarmFactory.create()
    stranger = UserFactory.create(username="eve")
    assert refusal(alarm, Close(" \n"), ada) == "Say why you close it."
    assert "at most 500 characters" in refusal(alarm, Close("x" * 501), ada)
    assert refusal(alarm, Assign(stranger), ada) == "eve may not handle alarms."
    assert refusal(alarm, Reopen(), ada) == "It is open already."
    assert told() == []


def test_does_not_open_again_what_has_come_back(ada: User) -> None:
    closed = AlarmFactory.create(key="same", state=AlarmState.CLOSED)
    AlarmFactory.create(key="same")
    came_back = "It came back since: there is a newer alarm about it."
    assert refusal(closed, Reopen(), ada) == came_back


def test_lets_only_those_who_may_handle(ada: User) -> None:
    alarm = AlarmFactory.create()
    for user in (member_of("auditor"), UserFactory.create()):
        with pytest.raises(PermissionDenied):
            alarm_handle(alarm.pk, Acknowledge(), by=user)
        with pytest.raises(PermissionDenied):
            alarms_handle([alarm.pk], Acknowledge(), by=user)
    alarm.refresh_from_db()
    assert alarm.state == AlarmState.OPEN

    root = UserFactory.create(is_superuser=True)
    gone = member_of("operator")
    gone.is_active = False
    gone.save()
    outside = member_of("operator")
    outside.is_staff = False
    outside.save()
    assert set(handlers()) == {ada, root}


def test_knows_no_alarm_of_a_foreign_key(ada: User) -> None:
    with pytest.raises(Alarm.DoesNotExist):
        alarm_handle(uuid4(), Acknowledge(), by=ada)


# --- many, at once, and all or nothing --------------------------------------------


def test_does_what_it_can_of_many(ada: User) -> None:
    mine = AlarmFactory.create_batch(3)
    closed = AlarmFactory.create(state=AlarmState.CLOSED, close_reason="fixed")
    unknown = uuid4()

    ids: list[UUID] = [one.pk for one in [*mine, closed, mine[0]]]
    handled = alarms_handle([*ids, unknown], Close("false alarm"), by=ada)

    assert list(handled.done) == [one.pk for one in mine]
    assert handled.refused == {
        closed.pk: "The system closed it first: fixed",
        unknown: "There is no such alarm.",
    }
    assert len(told()) == 3


@pytest.mark.django_db(transaction=True)
def test_only_one_of_those_who_act_at_once_is_first() -> None:
    people = [named(name) for name in ("ada", "mei", "lukas", "priya")]
    for act in (Acknowledge(), Close("fixed"), Reopen()):
        alarm = AlarmFactory.create(
            state=AlarmState.CLOSED if act == Reopen() else AlarmState.OPEN
        )

        answers = at_once(*[partial(done, alarm, act, by) for by in people])

        assert answers.count("") == 1, answers
        entries = AuditEntry.objects.filter(object_key=str(alarm.pk))
        [winner] = [by for by, said in zip(people, answers, strict=True) if not said]
        assert [entry.actor for entry in entries] == [winner.username]


@pytest.mark.django_db(transaction=True)
def test_only_one_of_those_who_take_it_at_once_has_it() -> None:
    people = [named(name) for name in ("ada", "mei", "lukas", "priya")]
    alarm = AlarmFactory.create()

    deeds = [partial(done, alarm, Assign(one, was=NOBODY), one) for one in people]
    answers = at_once(*deeds)

    alarm.refresh_from_db()
    winner = alarm.assignee
    assert winner is not None
    assert answers.count("") == 1
    lost = f"It was assigned to {winner.username} meanwhile."
    assert sorted(str(said) for said in answers if said) == [lost] * 3


def done(alarm: Alarm, act: Act, by: User) -> str:
    """Return why it was refused; empty if it was done."""
    try:
        alarm_handle(alarm.pk, act, by=by)
    except HandlingRefused as refused:
        return str(refused)
    return ""


def test_does_nothing_that_cannot_be_noted(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise DatabaseError("disk full")

    alarm = AlarmFactory.create()
    monkeypatch.setattr(AuditEntry.objects, "create", full)
    with pytest.raises(DatabaseError):
        alarm_handle(alarm.pk, Close("fixed"), by=ada)
    alarm.refresh_from_db()
    assert alarm.state == AlarmState.OPEN


def test_asks_the_same_of_the_database_for_each_act(ada: User) -> None:
    alarms = AlarmFactory.create_batch(12)
    counts = []
    for ids in ([alarms[0].pk], [one.pk for one in alarms[1:]]):
        ada = User.objects.get(pk=ada.pk)
        with CaptureQueriesContext(connection) as queries:
            alarms_handle(ids, Acknowledge(), by=ada)
        counts.append(len(queries))
    # Two for the permission; then savepoint, change, read, note and release for each.
    assert counts == [2 + 5, 2 + 5 * 11]


def test_tells_it_on_the_timeline_of_the_call(ada: User) -> None:
    call = CallFactory.create(live=True)
    alarm_handle(AlarmFactory.create(call=call).pk, Close("customer side"), by=ada)

    entries = history_of(rows_of(call)).entries
    # Once: the alarm tells of it, and its entry on the audit log is not repeated.
    [entry] = [one for one in entries if "closed" in one.key]
    assert (entry.kind, entry.source) == (EntryKind.ALARM, "ada")
    assert entry.why == "customer side"
    assert not [one for one in entries if one.kind == EntryKind.AUDIT]


def test_an_alarm_of_a_node_belongs_to_no_call(ada: User) -> None:
    alarm = AlarmFactory.create(of_node=True)
    alarm_handle(alarm.pk, Acknowledge(), by=ada)
    assert AuditEntry.objects.get(object_key=str(alarm.pk)).call_key is None
