"""One participant's voice in one call, packet by packet."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from emulator.calls import MediaOptions, Plan
from emulator.clock import FRAME_SECONDS
from emulator.frames import AudioWriter
from emulator.sent import SentTrack
from emulator.speech import Speech, Voice, amplified, saturated_sum

MIXED = "mixed"
"""The raw id under which a mixed stream is reported."""


class Packet(NamedTuple):
    """One AudioData message and what there is to know of it once it is sent."""

    track: SentTrack
    slot: int
    stamp: bytes
    message: bytes
    pcm: bytes
    silent: bool

    def sent(self) -> None:
        """Take note that the message was handed to an open socket."""
        self.track.sent(self.slot, self.pcm, silent=self.silent, timestamp=self.stamp)


class Speaker:
    """Speaks a voice on the call's time line.

    In slot n of the call it is at frame `offset` + n of its voice, whether or not
    anybody listened before: after a stop or a redial the audio is where the call is.
    """

    def __init__(
        self, raw_id: str | None, voice: Voice, offset: int, plan: Plan
    ) -> None:
        """Speak for a participant; None is everybody at once."""
        self.track = SentTrack(raw_id or MIXED, voice.frame_bytes)
        self.voice = voice
        self._offset = offset
        self._loop = plan.loop
        self.hushed = False
        omit = plan.behaviour.silent_frames == "omitted"
        self._omit_silence = raw_id is not None and omit
        self._faults = plan.faults
        self._gain_db = plan.faults.gain_db
        self._flags = plan.faults.silent_member == "sent"
        self._writer = AudioWriter(
            raw_id,
            voice.frame_bytes,
            plan.behaviour,
            spelling=plan.faults.participant_spelling,
            with_silent=self._flags,
        )

        self.overlay: Callable[[int], bytes | None] | None = None

    def packet(self, slot: int, stamp: bytes) -> Packet | None:
        """Return the packet of one slot; None if there is none to send."""
        position = self._position(slot)
        if position is None or self._is_silent(position, slot):
            if self._omit_silence:
                return None
            pcm, silent = self._writer.silence, True
        else:
            pcm, silent = self.voice.frame(position), False
            if self._gain_db:
                pcm = amplified(pcm, self._gain_db)
        if self.overlay is not None and (more := self.overlay(slot)) is not None:
            pcm, silent = saturated_sum(pcm, more), False
        message = self._writer.write(stamp, pcm, silent=silent)
        return Packet(self.track, slot, stamp, message, pcm, silent and self._flags)

    def _is_silent(self, position: int, slot: int) -> bool:
        if self.hushed or self.voice.silent[position]:
            return True
        return self._faults.is_dead(slot)

    def loudness(self, slot: int, slots: int) -> int:
        """Return the loudest sample of the slots that begin with `slot`."""
        position = self._position(slot)
        if position is None or self.hushed:
            return 0
        start = position * self.voice.frame_bytes
        pcm = self.voice.pcm[start : start + slots * self.voice.frame_bytes]
        return int(np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32)).max())

    def _position(self, slot: int) -> int | None:
        """Return where in the voice a slot is; None behind its end."""
        position = self._offset + slot
        if self._loop:
            return position % self.voice.frames
        return position if position < self.voice.frames else None


class Cast:
    """The speakers of one stream: one per participant, or one for all of them."""

    def __init__(self, plan: Plan, options: MediaOptions, speech: Speech) -> None:
        self._plan = plan
        self._unmixed = options.unmixed
        threshold = plan.behaviour.silence_threshold
        self._mixed = partial(speech.mixed, options.rate, threshold)
        self._parts = [
            speech.part(plan.first_party + index, again=index // speech.parties)
            for index in range(len(plan.participants))
        ]
        offset = round(plan.offset / FRAME_SECONDS)
        if options.unmixed:
            voices = speech.voices(options.rate, threshold)
            self._all = [
                Speaker(raw_id, voices[party], offset + shift, plan)
                for raw_id, (party, shift) in zip(
                    plan.participants, self._parts, strict=True
                )
            ]
        else:
            self._all = [Speaker(None, self._mixed(tuple(self._parts)), offset, plan)]
        self.present: Sequence[Speaker] = self._all
        self._follow: Callable[[int, bytes], None] | None = None

    @property
    def tracks(self) -> list[SentTrack]:
        """Return what was sent, per participant."""
        return [speaker.track for speaker in self._all]

    def follow(self, sent: Callable[[int, bytes], None]) -> None:
        """Have `sent` told the slot and the PCM of every packet that was sent."""
        self._follow = sent

    def sent(self, packet: Packet) -> None:
        """Take note that a packet was handed to an open socket."""
        packet.sent()
        if self._follow is not None:
            self._follow(packet.slot, packet.pcm)

    def overhear(self, played_in: Callable[[int], bytes | None]) -> None:
        """Add what is played into the call to a mixed stream, slot by slot."""
        if not self._unmixed:
            self._all[0].overlay = played_in

    def attend(self, roster: Collection[str], hushed: Collection[str] = ()) -> None:
        """Let only those speak who are in the call; the hushed are silent in it."""
        here = [raw_id in roster for raw_id in self._plan.participants]
        if unheard := self._plan.faults.unheard:
            hushed = {*hushed, *self._plan.participants[unheard - 1 : unheard]}
        if self._unmixed:
            for speaker, raw_id in zip(self._all, self._plan.participants, strict=True):
                speaker.hushed = raw_id in hushed
            self.present = [
                each for each, is_here in zip(self._all, here, strict=True) if is_here
            ]
        else:
            heard = [
                is_here and raw_id not in hushed
                for raw_id, is_here in zip(self._plan.participants, here, strict=True)
            ]
            parts = zip(self._parts, heard, strict=True)
            self._all[0].voice = self._mixed(
                tuple(part for part, is_in in parts if is_in)
            )
