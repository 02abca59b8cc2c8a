"""Random operators against a random ACS: whatever happens, what we show comes true.

Each example is one call, some twenty things that operators, callers, workers and faults
do to it, and then rest. Then what we show is compared with the emulator's own report.
`make lies` runs many more examples than the suite does.
"""

import os
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from calls.models import CommandKind
from tests.control.by_hand import ByHand
from tests.control.lies import lies
from tests.control.world import AGENT, CALLER, GUEST, OURS, World

pytestmark = [pytest.mark.database, pytest.mark.django_db]

# In `make test`; `make lies` sets the whole number.
FEW = 40
SEQUENCES = int(os.environ.get("ACSSTREAM_TEST_SEQUENCES", FEW))

PEOPLE = st.sampled_from([CALLER, AGENT, GUEST])
ORDERS: st.SearchStrategy[Any] = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                CommandKind.START_STREAMING,
                CommandKind.STOP_STREAMING,
                CommandKind.RESUME,
                CommandKind.START_TRANSCRIPTION,
                CommandKind.STOP_TRANSCRIPTION,
            ]
        ),
        st.just({}),
    ),
    st.tuples(st.just(CommandKind.PAUSE), st.just({"reason": "card number"})),
    st.tuples(
        st.just(CommandKind.UPDATE_TRANSCRIPTION),
        st.sampled_from([{"locale": "de-DE"}, {"locale": "en-GB"}]),
    ),
    st.tuples(
        st.sampled_from(
            [
                CommandKind.MUTE,
                CommandKind.HOLD,
                CommandKind.UNHOLD,
                CommandKind.REMOVE_PARTICIPANT,
            ]
        ),
        st.builds(lambda raw_id: {"participant": raw_id}, PEOPLE),
    ),
    st.tuples(
        st.just(CommandKind.ADD_PARTICIPANT),
        st.builds(lambda raw_id: {"target": raw_id, "caller_id": OURS}, PEOPLE),
    ),
)
ENDINGS = st.sampled_from(
    [
        (CommandKind.HANG_UP, {}),
        (CommandKind.LEAVE, {}),
        (CommandKind.TRANSFER, {"target": GUEST}),
    ]
)
OPERATIONS = st.sampled_from(
    [
        "*",
        "answer",
        "get",
        "participants",
        "startMediaStreaming",
        "stopMediaStreaming",
        "startTranscription",
        "stopTranscription",
        "addParticipant",
        "removeParticipant",
        "mute",
        "hold",
        "hangUp",
        "terminate",
        "transfer",
    ]
)
REST_FAULTS = st.one_of(
    st.builds(
        lambda status, times: {"status": status, "times": times},
        st.sampled_from([400, 401, 403, 404, 409, 500, 502, 503, 504]),
        st.integers(1, 3),
    ),
    st.builds(lambda after: {"status": 429, "retry_after": after}, st.integers(1, 8)),
    st.sampled_from([{"lost": "request"}, {"lost": "answer"}, {"lost": "answer"}]),
)
KINDS = st.sampled_from(
    [
        "*",
        "CallConnected",
        "ParticipantsUpdated",
        "MediaStreamingStarted",
        "MediaStreamingStopped",
        "TranscriptionStarted",
        "TranscriptionStopped",
        "AddParticipantSucceeded",
        "RemoveParticipantSucceeded",
        "CallTransferAccepted",
    ]
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "callbacks_lost": st.builds("{}:{}".format, KINDS, st.integers(1, 2)),
        "callbacks_late": st.builds("{}:{}".format, KINDS, st.integers(1, 9)),
        "callbacks_duplicated": KINDS,
        "callbacks_reordered": KINDS,
        "callback_order": st.just("reversed"),
        "callback_batch": st.booleans(),
        "socket_order": st.sampled_from(["before", "after"]),
        "double_start": st.sampled_from(["redial", "ignore"]),
        "on_stop": st.sampled_from(["close", "keep"]),
        "hangup_sends_stopped": st.booleans(),
    },
)
FAULTS = st.fixed_dictionaries(
    {},
    optional={
        "streaming": st.sampled_from(["8581", "8603", "never", "silent"]),
        "stop": st.just("never"),
        "transcription": st.sampled_from(["8581", "never"]),
        "unanswered": st.just(GUEST),
        "answer": st.sampled_from(["connected", "connected", "failed"]),
        "ends_during": st.sampled_from(
            [
                "startMediaStreaming:before",
                "startMediaStreaming:after",
                "stopMediaStreaming:before",
                "hold:after",
                "addParticipant:before",
            ]
        ),
    },
)


class Control(RuleBasedStateMachine):
    """One call and what is done to it. The world is set by the test."""

    bench: ByHand
    patch: pytest.MonkeyPatch

    @initialize(
        start=st.booleans(), options=OPTIONS, faults=st.one_of(st.just({}), FAULTS)
    )
    def ring(self, start: bool, options: Any, faults: Any) -> None:
        self.savepoint = transaction.savepoint()
        self.world = World(self.bench, self.patch)
        options = {"packets": "none"} | options
        self.world.ring(start=start, options=options, faults=faults)
        self.world.work()
        self.world.pass_time(1)

    @rule(order=ORDERS)
    def an_operator_asks(self, order: Any) -> None:
        self.world.ask(*order)

    @rule(order=ORDERS)
    def an_operator_asks_and_a_worker_is_quick(self, order: Any) -> None:
        if not self.world.ask(*order):
            self.world.work()

    @precondition(lambda self: getattr(self, "steps", 0) > 6)
    @rule(order=ENDINGS)
    def an_operator_ends_it(self, order: Any) -> None:
        self.world.ask(*order)

    @rule(seconds=st.sampled_from([0.3, 1.0, 3.0, 8.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        self.steps = getattr(self, "steps", 0) + 1
        self.world.pass_time(seconds)

    @rule()
    def a_worker_works(self) -> None:
        self.world.work()

    @rule(where=st.sampled_from(["before", "after"]))
    def a_worker_dies(self, where: str) -> None:
        self.world.work(dies=where)

    @rule()
    def a_beat_looks(self) -> None:
        self.world.beat()

    @rule()
    def ingest_hears(self) -> None:
        self.world.hear()

    @rule(operation=OPERATIONS, fault=REST_FAULTS)
    def acs_will_fail(self, operation: str, fault: Any) -> None:
        self.bench.tell("faults/rest", operation=operation, **fault)

    @rule(what=st.sampled_from(["leave", "join"]), raw_id=PEOPLE)
    def a_caller_moves(self, what: str, raw_id: str) -> None:
        self.world.act(what, participant=raw_id)

    @precondition(lambda self: getattr(self, "steps", 0) > 6)
    @rule()
    def the_caller_hangs_up(self) -> None:
        self.world.act("hangup")

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.settle()
            assert lies(self.world.call, self.world.truth()) == []
        finally:
            self.world.act("hangup")
            transaction.savepoint_rollback(self.savepoint)


def test_nothing_that_is_shown_is_a_lie(
    by_hand: ByHand, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Control.bench, Control.patch = by_hand, monkeypatch

    run_state_machine_as_test(Control, settings=EXAMPLES)


EXAMPLES = settings(
    max_examples=SEQUENCES,
    stateful_step_count=20,
    deadline=None,
    derandomize=SEQUENCES == FEW,
    print_blob=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
