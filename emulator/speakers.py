"""One participant's voice in one call, slot by slot, onto a socket."""

import aiohttp

from emulator.calls import MediaOptions, Plan
from emulator.clock import FRAME_SECONDS
from emulator.dialling import SocketRecord
from emulator.frames import AudioWriter
from emulator.sent import SentTrack
from emulator.speech import Speech, Voice

MIXED = "mixed"
"""The raw id under which a mixed stream is reported."""


class Speaker:
    """Speaks a voice on the call's time line and knows exactly what was sent.

    In slot n of the call it is at frame `offset` + n of its voice, whether or not
    anybody listened before: after a stop or a redial the audio is where the call is.
    """

    def __init__(
        self, raw_id: str | None, voice: Voice, offset: int, plan: Plan
    ) -> None:
        self.track = SentTrack(raw_id or MIXED, voice.frame_bytes)
        self._voice = voice
        self._offset = offset
        self._loop = plan.loop
        self._omit_silence = (
            raw_id is not None and plan.behaviour.silent_frames == "omitted"
        )
        self._writer = AudioWriter(raw_id, voice.frame_bytes, plan.behaviour)
        self._pause = bytes(voice.frame_bytes)

    async def send(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        record: SocketRecord,
        slot: int,
        stamp: bytes,
    ) -> None:
        """Send one slot's packet and count it if it was handed to the socket."""
        pcm, silent = self.frame(slot)
        if silent and self._omit_silence:
            return
        message = self._writer.write(stamp, pcm, silent=silent)
        written = True
        try:
            await socket.send_frame(message, aiohttp.WSMsgType.TEXT)
        except ConnectionError:
            written = False
            raise
        finally:
            # A cancellation can only come while waiting for a slow peer: the frame was
            # written before that.
            if written:
                record.packets += 1
                self.track.sent(slot, pcm, silent=silent, timestamp=stamp)

    def frame(self, slot: int) -> tuple[bytes, bool]:
        """Return the PCM of a slot and whether it counts as silence."""
        position = self._offset + slot
        if position >= self._voice.frames:
            if not self._loop:
                return self._pause, True
            position %= self._voice.frames
        return self._voice.frame(position), bool(self._voice.silent[position])


def speakers(
    plan: Plan, options: MediaOptions, speech: Speech, threshold: int
) -> list[Speaker]:
    """Return the speakers of a stream: one per participant, or one for all of them."""
    offset = round(plan.offset / FRAME_SECONDS)
    if not options.unmixed:
        voice = speech.mixed(options.rate, threshold, len(plan.participants))
        return [Speaker(None, voice, offset % voice.frames, plan)]
    voices = speech.voices(options.rate, threshold)
    made = []
    for index, raw_id in enumerate(plan.participants):
        voice = voices[index % len(voices)]
        shift = speech.shift(index, voice.frames)
        made.append(Speaker(raw_id, voice, (offset + shift) % voice.frames, plan))
    return made
