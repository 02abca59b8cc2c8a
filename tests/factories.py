"""Rows with valid invariants, for tests and for looking at the pages."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.utils import timezone
from factory.declarations import (
    LazyAttribute,
    LazyFunction,
    SelfAttribute,
    Sequence,
    SubFactory,
    Trait,
)
from factory.django import DjangoModelFactory, Password

from calls.identity import participant_id, track_id
from calls.models import (
    Alarm,
    AlarmKind,
    AnswerRule,
    Call,
    CallEvent,
    CallState,
    CommandKind,
    CommandState,
    Connection,
    IngestProcess,
    Loss,
    Participant,
    Prompt,
    Recording,
    RecordingState,
    Severity,
    StreamCommand,
    StreamingProfile,
    StreamingState,
    Subscription,
    Track,
    TranscriptSegment,
    Utterance,
)
from calls.models.states import ArchiveState, Direction


class UserFactory(DjangoModelFactory[User]):
    """A member of staff who may nothing yet."""

    class Meta:
        model = User

    username = Sequence(lambda n: f"user{n}")
    password = Password("secret")
    is_staff = True


def member_of(group: str) -> User:
    """A member of staff with the rights of one of our groups."""
    user: User = UserFactory.create()
    user.groups.add(Group.objects.get(name=group))
    return user


class ProfileFactory(DjangoModelFactory[StreamingProfile]):
    class Meta:
        model = StreamingProfile

    name = Sequence(lambda n: f"Profile {n}")


class RuleFactory(DjangoModelFactory[AnswerRule]):
    """A rule that takes every call."""

    class Meta:
        model = AnswerRule

    name = Sequence(lambda n: f"Rule {n}")
    priority = Sequence(lambda n: n + 1)
    profile = SubFactory(ProfileFactory)


class CallFactory(DjangoModelFactory[Call]):
    """A ringing call. Traits: `live`, `ended`, `with_gap`."""

    class Meta:
        model = Call

    connection_id = LazyFunction(lambda: str(uuid.uuid4()))
    correlation_id = LazyFunction(lambda: str(uuid.uuid4()))
    server_call_id = Sequence(lambda n: f"server-call-{n}")
    from_raw_id = Sequence(lambda n: f"4:+1206555{n:04}")
    to_raw_id = "4:+18005550199"
    rang_at = LazyFunction(timezone.now)

    class Params:
        live = Trait(
            state=CallState.CONNECTED,
            connected_at=LazyAttribute(
                lambda call: call.rang_at + timedelta(seconds=2)
            ),
            desired_streaming=True,
            streaming_state=StreamingState.STREAMING,
            archive_state=ArchiveState.LIVE,
            completeness=1.0,
        )
        ended = Trait(
            state=CallState.ENDED,
            connected_at=LazyAttribute(
                lambda call: call.rang_at + timedelta(seconds=2)
            ),
            ended_at=LazyAttribute(lambda call: call.rang_at + timedelta(seconds=62)),
            end_code=200,
            end_subcode=0,
            end_reason="The caller hung up.",
            streaming_state=StreamingState.STOPPED,
            archive_state=ArchiveState.FINISHED,
            completeness=1.0,
            overtalk_ms=1_200,
            origin_us=LazyAttribute(
                lambda call: int(call.connected_at.timestamp() * 1e6)
            ),
            last_packet_at=LazyAttribute(
                lambda call: call.rang_at + timedelta(seconds=62)
            ),
        )
        with_gap = Trait(completeness=0.985)
        outbound = Trait(direction=Direction.OUTBOUND)


class ParticipantFactory(DjangoModelFactory[Participant]):
    class Meta:
        model = Participant

    call = SubFactory(CallFactory, live=True)
    raw_id = Sequence(lambda n: f"4:+4420794600{n % 100:02}{n // 100:02}")
    id = LazyAttribute(lambda row: participant_id(row.call.id, row.raw_id))
    joined_at = LazyAttribute(lambda row: row.call.connected_at)


class SubscriptionFactory(DjangoModelFactory[Subscription]):
    class Meta:
        model = Subscription

    id = LazyFunction(uuid.uuid4)
    call = SubFactory(CallFactory, live=True)
    subscription_id = LazyFunction(lambda: str(uuid.uuid4()))
    encoding = "PCM"
    sample_rate = 16_000
    channels = 1
    frame_bytes = 640
    is_mixed = False
    started_at = LazyAttribute(lambda row: row.call.connected_at)


class ConnectionFactory(DjangoModelFactory[Connection]):
    class Meta:
        model = Connection

    id = LazyFunction(uuid.uuid4)
    call = SubFactory(CallFactory, live=True)
    subscription = SubFactory(SubscriptionFactory, call=SelfAttribute("..call"))
    process_id = LazyFunction(uuid.uuid4)
    node = "recorder-1"
    remote_address = "52.112.0.7"
    opened_at = LazyAttribute(lambda row: row.call.connected_at)
    messages = 6_001
    packets = 6_000
    bytes = 6_000 * 640


class TrackFactory(DjangoModelFactory[Track]):
    """One minute of one participant. Trait: `with_gap` (a hole of 900 ms at 0:20)."""

    class Meta:
        model = Track

    call = SubFactory(CallFactory, live=True)
    participant = SubFactory(ParticipantFactory, call=SelfAttribute("..call"))
    sample_rate = 16_000
    id = LazyAttribute(
        lambda row: track_id(row.call.id, row.participant.raw_id, row.sample_rate)
    )
    origin_us = LazyAttribute(lambda row: int(row.call.connected_at.timestamp() * 1e6))
    samples = LazyAttribute(lambda row: 60 * row.sample_rate)
    packets = 3_000
    bytes = 3_000 * 640
    silent_packets = 1_200
    talk_samples = LazyAttribute(lambda row: 36 * row.sample_rate)
    first_packet_at = LazyAttribute(lambda row: row.call.connected_at)
    last_packet_at = LazyAttribute(
        lambda row: row.call.connected_at + timedelta(seconds=60)
    )
    jitter_us = 1_800
    rms_dbfs = -27.4
    peak_dbfs = -6.2
    completeness = 1.0
    ledger = LazyAttribute(
        lambda row: {"rate": row.sample_rate, "runs": [["r", row.samples]]}
    )
    is_final = True

    class Params:
        with_gap = Trait(
            gap_count=1,
            gap_samples=14_400,
            completeness=0.985,
            ledger={
                "rate": 16_000,
                "runs": [["r", 320_000], ["g", 14_400], ["r", 625_600]],
            },
        )


class LossFactory(DjangoModelFactory[Loss]):
    """A gap of 180 ms behind a journal that broke off at 0:20, and was recovered."""

    class Meta:
        model = Loss

    track = SubFactory(TrackFactory)
    connection = SubFactory(
        ConnectionFactory,
        call=SelfAttribute("..track.call"),
        journal_state="kept",
        journal_end="torn",
    )
    start_sample = 320_000
    samples = 2_880


class RecordingFactory(DjangoModelFactory[Recording]):
    """A verified recording of a track; its bytes are the caller's matter."""

    class Meta:
        model = Recording

    id = LazyFunction(uuid.uuid4)
    call = SubFactory(CallFactory, ended=True)
    track = SubFactory(TrackFactory, call=SelfAttribute("..call"))
    state = RecordingState.VERIFIED
    audio = LazyAttribute(lambda row: f"2026/01/01/{row.call.id}/{row.id}.flac")
    peaks = LazyAttribute(lambda row: row.audio[:-5] + ".peaks.json")
    manifest = LazyAttribute(lambda row: row.audio[:-5] + ".manifest.json")
    sample_rate = 16_000
    samples = 960_000
    origin_us = LazyAttribute(lambda row: row.call.origin_us)
    audio_bytes = 654_321
    audio_sha256 = "a" * 64
    pcm_sha256 = "b" * 64
    verified_at = LazyAttribute(lambda row: row.call.ended_at)


class CommandFactory(DjangoModelFactory[StreamCommand]):
    class Meta:
        model = StreamCommand

    call = SubFactory(CallFactory, live=True)
    kind = CommandKind.START_STREAMING
    state = CommandState.CONFIRMED
    sent_at = LazyAttribute(lambda row: row.call.connected_at)
    settled_at = LazyAttribute(lambda row: row.call.connected_at)
    attempts = 1


class PromptFactory(DjangoModelFactory[Prompt]):
    """A prompt of four seconds; its bytes are the caller's matter."""

    class Meta:
        model = Prompt

    name = Sequence(lambda n: f"Prompt {n}")
    source_name = "notice.wav"
    source_format = "WAV, 44.1 kHz, mono"
    audio_16k = LazyAttribute(lambda row: f"prompts/{row.id}/16000.flac")
    audio_24k = LazyAttribute(lambda row: f"prompts/{row.id}/24000.flac")
    sha256_16k = "c" * 64
    sha256_24k = "d" * 64
    duration_ms = 4_000
    source_level_dbfs = -31.5
    level_dbfs = -20.0

    id = LazyFunction(uuid.uuid4)


class UtteranceFactory(DjangoModelFactory[Utterance]):
    """A prompt that was heard whole, ten seconds into its call."""

    class Meta:
        model = Utterance

    id = LazyFunction(uuid.uuid4)
    call = SubFactory(CallFactory, ended=True)
    prompt = SubFactory(PromptFactory)
    kind = Utterance.Kind.PROMPT
    state = Utterance.State.PLAYED
    name = LazyAttribute(lambda row: row.prompt.name if row.prompt else "ada")
    queued_at = LazyAttribute(lambda row: row.call.connected_at + timedelta(seconds=10))
    start_us = LazyAttribute(lambda row: int(row.queued_at.timestamp() * 1e6))
    sent_ms = 4_000
    played_ms = 4_000


class EventFactory(DjangoModelFactory[CallEvent]):
    class Meta:
        model = CallEvent

    call = SubFactory(CallFactory, live=True)
    source = CallEvent.Source.CALLBACK
    event_id = LazyFunction(lambda: str(uuid.uuid4()))
    kind = "CallConnected"
    happened_at = LazyAttribute(lambda row: row.call.connected_at)
    body = LazyAttribute(
        lambda row: {
            "type": f"Microsoft.Communication.{row.kind}",
            "data": {"callConnectionId": row.call.connection_id},
        }
    )


class ProcessFactory(DjangoModelFactory[IngestProcess]):
    class Meta:
        model = IngestProcess

    node = "recorder-1"
    pid = Sequence(lambda n: 4_000 + n)


class AlarmFactory(DjangoModelFactory[Alarm]):
    """An open alarm about a live call. Traits: `cleared`, `of_node`."""

    class Meta:
        model = Alarm

    class Params:
        cleared = Trait(cleared_at=LazyFunction(timezone.now))
        of_node = Trait(
            call=None, raw_id="", node="node-1", kind=AlarmKind.NODE_FULL, at_us=None
        )

    call = SubFactory(CallFactory, live=True)
    key = Sequence(lambda n: f"test/{n}")
    kind = AlarmKind.DEAD_AIR
    severity = Severity.WARNING
    words = "Nobody has spoken for 12 s."
    value = 12.0
    threshold = 10.0
    at_us = 1_764_000_000_000_000


class SegmentFactory(DjangoModelFactory[TranscriptSegment]):
    """What somebody said a second into the call, in words of 300 ms each."""

    class Meta:
        model = TranscriptSegment

    id = LazyFunction(uuid.uuid4)
    call = SubFactory(CallFactory, ended=True, has_transcript=True)
    raw_id = LazyAttribute(lambda row: row.call.from_raw_id)
    source = TranscriptSegment.Source.ACS
    start_us = LazyAttribute(lambda row: (row.call.origin_us or 0) + 1_000_000)
    text = "I would like a refund, please."
    words = LazyAttribute(
        lambda row: [
            [word.strip(".,?!").lower(), number * 300_000, 300_000]
            for number, word in enumerate(row.text.split())
        ]
    )
    duration_us = LazyAttribute(lambda row: 300_000 * len(row.words))
    language = "en-US"
