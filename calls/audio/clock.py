"""How far a sender's timestamps can be trusted, learnt from the timestamps.

A *delta* is where a timestamp says a packet belongs, minus where the packets before it
end, in samples. On a perfect clock without losses every delta is 0. The clock keeps

- `near`: the delta that the next packet should have,
- `level`: a slow mean of the deltas: the error of the whole track so far,
- `bias`: what `level` was over the first five seconds. The first packet's timestamp
  is the track's origin and may itself be wrong by as much as any other, so its error
  must not be taken for lost or surplus audio for the rest of the call,
- `wobble`: the mean distance of a delta from `near`.

A clock whose wobble is at most a quarter of a packet is *crisp*: a lost packet is
seen at once, and exactly. Any other is *fuzzy*: one timestamp proves nothing, sixty-
four together prove a good deal, since the mean of 64 timestamps that jitter evenly
by ±60 ms is known to ±4 ms (one sigma). A sender nobody has watched for 16 packets
yet is neither; it is read as crisp, with twice the proof asked.
"""

from typing import Self, TypedDict

from calls.audio.pcm import slot_samples

# Packets after which we say what kind of clock it is.
WATCHED = 16
# Packets over which the origin's own error is measured: 5 s.
CALIBRATION = 256

_JITTER_MS = 60
_NEAR_GAIN = 1 / 4
_WOBBLE_GAIN = 1 / 32
# 20 s: slower than any jitter, ten times faster than a clock 100 ppm off needs.
_CRISP_GAIN = 1 / 1024
# 1.3 s: as fast as a clock that jitters by ±60 ms lets one packet's loss be seen.
_FUZZY_GAIN = 1 / 64
# Leaning by so many packets a track is put right.
_LIMIT_SILENT = 0.65
_LIMIT_CRISP = 0.8
_LIMIT_FUZZY = 0.85


class ClockJson(TypedDict):
    """A clock as it is stored."""

    unit: int
    near: float
    level: float
    bias: float
    wobble: float
    seen: int
    crisp: bool


class Clock:
    """What is known of one track's timestamps. Everything is in samples."""

    __slots__ = (
        "_wobble_limit",
        "bias",
        "crisp",
        "jitter",
        "level",
        "near",
        "patience",
        "rate",
        "seen",
        "tolerance",
        "unit",
        "wobble",
    )

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.near = 0.0
        self.level = 0.0
        self.bias = 0.0
        self.wobble = 0.0
        self.seen = 0
        self.crisp = True
        # What a timestamp may be off without meaning anything: ±60 ms.
        self.jitter = rate * _JITTER_MS / 1000
        self.unit = slot_samples(rate)
        self.resize(self.unit)

    def resize(self, samples: int) -> None:
        """Packets are `samples` long from now on: losses come in that size."""
        slot = slot_samples(self.rate)
        self.unit = min(max(samples, slot // 4), slot)
        self._choose()

    def _choose(self) -> None:
        # A little less to be crisp again than to become fuzzy: no flicker.
        self._wobble_limit = self.unit / 4 if self.crisp else self.unit / 5
        if self.crisp:
            self.tolerance = self.unit * 0.75
        else:
            self.tolerance = self.jitter + self.unit / 2
        self.patience = self.limit(silent=True) * self.unit

    @property
    def is_known(self) -> bool:
        """Whether enough packets were seen to say what kind of clock it is."""
        return self.seen >= WATCHED

    @property
    def grain(self) -> float:
        """How far two timestamps of this clock may differ and still agree."""
        millisecond = self.rate / 1000
        return min(millisecond + 4 * self.wobble, self.unit / 4)

    def limit(self, silent: bool) -> float:
        """By how many packets a track may lean before it is put right.

        On a crisp clock a silent packet is an earlier occasion: nobody hears it.
        """
        if self.crisp:
            return _LIMIT_SILENT if silent else _LIMIT_CRISP
        return _LIMIT_FUZZY

    def accepts(self, delta: float) -> bool:
        """Whether a packet with `delta` simply follows; if so, learn from it."""
        off = delta - self.near
        if not -self.tolerance <= off <= self.tolerance:
            return False
        self.learn(off)
        if self.crisp:
            self.near += off * _NEAR_GAIN
        return True

    def learn(self, off: float) -> None:
        """Learn from a packet that turned out to be `off` samples from `near`."""
        seen = self.seen
        off = min(max(off, -self.jitter), self.jitter)
        gain = _CRISP_GAIN if self.crisp else _FUZZY_GAIN
        if seen < CALIBRATION:
            self.seen = seen + 1
            gain = 1 / (seen + 2)
        self.level += (self.near + off - self.level) * gain
        gain = _WOBBLE_GAIN if seen > 32 else 1 / (seen + 1)
        self.wobble += (abs(off) - self.wobble) * gain
        if seen < CALIBRATION:
            self.bias = self.level
        if not self.crisp:
            self.near = self.level
        if (self.wobble <= self._wobble_limit) is not self.crisp and seen >= WATCHED:
            self.crisp = not self.crisp
            self.near = self.level
            self._choose()

    def shift(self, samples: float) -> None:
        """Expect every delta to be `samples` more from now on."""
        self.near += samples
        self.level += samples

    def rebase(self, off: float) -> None:
        """Begin again: the origin itself was `off` samples wrong."""
        self.near += off
        self.level = self.bias = self.near

    def to_json(self) -> ClockJson:
        """The clock for storage."""
        return {
            "unit": self.unit,
            "near": self.near,
            "level": self.level,
            "bias": self.bias,
            "wobble": self.wobble,
            "seen": self.seen,
            "crisp": self.crisp,
        }

    @classmethod
    def from_json(cls, rate: int, stored: ClockJson) -> Self:
        """The clock that `to_json` described."""
        clock = cls(rate)
        clock.near = stored["near"]
        clock.level = stored["level"]
        clock.bias = stored["bias"]
        clock.wobble = stored["wobble"]
        clock.seen = stored["seen"]
        clock.crisp = stored["crisp"]
        clock.resize(stored["unit"])
        return clock
