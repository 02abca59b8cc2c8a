"""How far a sender's timestamps can be trusted, learnt from the timestamps.

A *delta* is where a timestamp says a packet belongs, minus where the packets before it
end, in samples. On a perfect clock without losses every delta is 0. The clock keeps

- `near`: the delta that the next packet should have,
- `level`: a slow mean of the deltas: by how much the track is too short by now,
- `bias`: what `level` was at first. The first packet's timestamp is the track's origin
  and may be as wrong as any other; that error is not lost or surplus audio,
- `wobble`: the mean distance of a delta from `near`.

A clock whose wobble is at most a tenth of a packet is *crisp*: one lost packet shows
at once and exactly, and `level` moves only because the clock runs fast or slow. Any
other is *fuzzy*: one timestamp proves nothing, but a hundred do. Whether a fuzzy track
has become a packet too short is Page's CUSUM test: add up by how much each delta
exceeds five eighths of a packet, never below zero, until the sum could not be chance.
What chance could do follows from how widely the deltas scatter and how slowly they
wander, both measured; what a loss does to these measures is undone once it is proved.
Where timestamps jitter evenly by ±60 ms, one lost packet shows after about 3 s. A
sender is taken for crisp until its timestamps prove otherwise.
"""

import math
from typing import NotRequired, Self, TypedDict

from calls.audio.pcm import slot_samples

# Packets after which the origin is no longer suspected first, and after which a fuzzy
# clock's jitter is known well enough to tell what it hides.
WATCHED = 16
_MEASURED = 64
# Packets over which a crisp clock's bias is measured, and a fuzzy one's.
CALIBRATION = 128
REFINEMENT = 2048

_JITTER_MS = 60
_NEAR_GAIN = 1 / 4
_WOBBLE_GAIN = 1 / 32
# 20 s: slower than jitter, and still fast enough to follow a clock 100 ppm off.
_CRISP_GAIN = 1 / 1024
_FUZZY_GAIN = 1 / 64
_WANDER_GAIN = 1 / 512
_WANDER_SEEN = 256
_JITTER_GAIN = 1 / 64
# A crisp track is put right when it leans by so many packets.
_LIMIT = 0.8
_LIMIT_SILENT = 0.65
# CUSUM: what to subtract, in packets, and when to believe the sum. Twenty variances
# per packet are less than one false alarm in ten hours.
_ALLOWANCE = 0.625
_PROOF = 20


class ClockJson(TypedDict):
    """A clock as it is stored."""

    unit: int
    crisp: bool
    seen: int
    numbers: list[float]
    # What was known when each sum was last zero. Older versions did not store it.
    known: NotRequired[list[list[float]]]


class Clock:
    """What is known of one track's timestamps. Everything is in samples."""

    __slots__ = (
        "_above",
        "_before_above",
        "_before_below",
        "_below",
        "_jitter",
        "_last",
        "_proof",
        "_scatter",
        "_steps",
        "_wobble_limit",
        "bias",
        "crisp",
        "jitter",
        "lean",
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
        # By how much the track is too short (or, below 0, too long), as far as that
        # is certain.
        self.lean = 0.0
        self.seen = 0
        self.crisp = True
        # What a timestamp may be off without meaning anything: ±60 ms.
        self.jitter = rate * _JITTER_MS / 1000
        # Of a fuzzy clock: mean square of the offs, half that of their steps (slowly
        # and fast), both CUSUMs and what they must exceed.
        self._scatter = 0.0
        self._steps = 0.0
        self._jitter = 0.0
        self._proof = 0.0
        self._last = 0.0
        self._above = 0.0
        self._below = 0.0
        # What was known when each sum was last zero.
        self._before_above = self._before_below = self._known()
        self.unit = slot_samples(rate)
        self._choose()

    def resize(self, samples: int) -> None:
        """Packets are `samples` long from now on: losses come in that size."""
        slot = slot_samples(self.rate)
        unit = min(max(samples, slot // 4, 1), slot)
        if unit != self.unit:
            self.unit = unit
            self._choose()

    def _choose(self) -> None:
        # A little less to be crisp again than to become fuzzy: no flicker.
        self._wobble_limit = self.unit / (10 if self.crisp else 12)
        if self.crisp:
            self.tolerance = self.unit * 0.75
        else:
            self._widen()
        # The lean below which nothing is ever done: what `place` asks first.
        self.patience = _LIMIT_SILENT * self.unit

    @property
    def is_known(self) -> bool:
        """Whether enough packets were seen to believe what they say."""
        return self.seen >= WATCHED

    @property
    def grain(self) -> float:
        """How far two timestamps of this clock may differ and still agree."""
        millisecond = self.rate / 1000
        return min(millisecond + 4 * self.wobble, self.unit / 4)

    def limit(self, silent: bool) -> float:
        """By how much a track may lean before it is put right, at such a packet.

        A silent packet is an earlier occasion: nobody hears what is done there.
        """
        return (_LIMIT_SILENT if silent else _LIMIT) * self.unit

    def accepts(self, delta: float) -> bool:
        """Whether a packet with `delta` simply follows; if so, learn from it."""
        off = delta - self.near
        if off > self.tolerance or off < -self.tolerance:
            return False
        if not self.crisp:
            self._learn_fuzzy(off)
            return True
        if self.seen < CALIBRATION:
            self._learn_crisp(off)
        else:
            # Nearly every packet there is: `_learn_crisp` written out.
            self.wobble += (abs(off) - self.wobble) * _WOBBLE_GAIN
            self.level += (self.near + off - self.level) * _CRISP_GAIN
            self.lean = self.level - self.bias
            if self.wobble > self._wobble_limit:
                self._change()
        self.near += off * _NEAR_GAIN
        return True

    def learn(self, off: float) -> None:
        """Learn from a packet that turned out to be `off` samples from `near`."""
        off = min(max(off, -2 * self.jitter), 2 * self.jitter)
        if self.crisp:
            self._learn_crisp(off)
        else:
            self._learn_fuzzy(off)

    def _learn_crisp(self, off: float) -> None:
        if self.seen < CALIBRATION:
            self.seen += 1
            self.wobble += (abs(off) - self.wobble) / min(self.seen, 32)
            self.level += (self.near + off - self.level) / (self.seen + 1)
            self.bias = self.level
        else:
            self.wobble += (abs(off) - self.wobble) * _WOBBLE_GAIN
            self.level += (self.near + off - self.level) * _CRISP_GAIN
            self.lean = self.level - self.bias
        if self.wobble > self._wobble_limit:
            self._change()

    def _learn_fuzzy(self, off: float) -> None:
        self.seen = min(self.seen + 1, REFINEMENT)
        self.wobble += (abs(off) - self.wobble) * max(_WOBBLE_GAIN, 1 / self.seen)
        self._test(off)
        if self.wobble < self._wobble_limit:
            self._change()

    def _test(self, off: float) -> None:
        """Learn from a packet of a fuzzy clock, and look for what its jitter hides."""
        delta = self.near + off
        self._measure(delta, off)
        excess = delta - self.bias
        self.level += off * max(_FUZZY_GAIN, 1 / (self.seen + 1))
        self.near = self.level
        self._widen()
        # What is not known of the bias must not count as evidence.
        allowance = _ALLOWANCE * self.unit + math.sqrt(self.variance / self.seen)
        self._above = max(self._above + excess - allowance, 0.0)
        self._below = max(self._below - excess - allowance, 0.0)
        self._proof = _PROOF * self.variance / self.unit
        if self.seen < REFINEMENT:
            self._refine(excess)
        if not self._above:
            self._before_above = self._known()
        if not self._below:
            self._before_below = self._known()
        if self.seen < _MEASURED:
            return
        if self._above > self._proof:
            self.lean = float(self.unit)
        elif self._below > self._proof:
            self.lean = -float(self.unit)

    @property
    def is_short(self) -> bool:
        """Whether the track has more likely lost a packet of late than not.

        Much less proof than for a `lean`: the last word on a track that has ended.
        """
        is_measured = not self.crisp and self.seen >= _MEASURED
        return is_measured and self._above > self._proof / 3

    @property
    def _is_suspicious(self) -> bool:
        return max(self._above, self._below) > self._proof / 2

    def _measure(self, delta: float, off: float) -> None:
        """Measure the jitter, and by how much slow wandering makes it worse.

        Steps from one packet to the next show jitter alone, at once. The ratio, which
        a loss would spoil until it is found, is measured slowly, and not at all while
        one is suspected.
        """
        step = (delta - self._last) ** 2 / 2
        self._last = delta
        self._jitter += (step - self._jitter) * max(_JITTER_GAIN, 1 / self.seen)
        if not self._is_suspicious and not self._stands_out(off):
            gain = max(_WANDER_GAIN, 1 / self.seen)
            self._steps += (step - self._steps) * gain
            self._scatter += (off * off - self._scatter) * gain

    def _stands_out(self, off: float) -> bool:
        """Whether `off` is rather a loss than jitter, where jitter is that small.

        Taken for jitter that wanders, it would make all later losses look like that.
        """
        is_small = self._jitter < (self.unit / 3) ** 2
        return is_small and off * off > 25 * self._jitter

    @property
    def variance(self) -> float:
        """How far n offs may sum up to by chance: squared, and divided by n.

        That is their variance, times (1 + r) / (1 - r) where neighbours correlate by
        r, as they do if timestamps wander rather than jitter. Half the mean square of
        the steps is the variance, times 1 - r.
        """
        wander = max(self._scatter / max(self._steps, 1.0) - 1, 0.0)
        ratio = 1 + wander * min(self.seen / _WANDER_SEEN, 1.0)
        return self._jitter * ratio * (2 * ratio - 1)

    def _refine(self, excess: float) -> None:
        """Make the bias better, unless a loss is suspected.

        By a mean of all, at first. Once chance moves that by less than a tenth of a
        packet, by the slow mean, of which whole packets may be losses and do not count.
        """
        if self._is_suspicious:
            return
        if self.variance > self.seen * (self.unit / 10) ** 2:
            self.bias += excess / (self.seen + 1)
            return
        rest = self.level - self.bias
        rest -= round(rest / self.unit) * self.unit
        self.bias += rest / self.seen

    def _change(self) -> None:
        """Become fuzzy, or crisp again."""
        self.crisp = not self.crisp
        self.near = self.level
        self._last = self.near
        self._jitter = self._steps = self._scatter = (1.25 * self.wobble) ** 2
        self._forget()
        self._choose()

    def _forget(self) -> None:
        self._above = self._below = self.lean = 0.0
        self._before_above = self._before_below = self._known()

    def _known(self) -> tuple[float, ...]:
        return (self.bias, self.wobble, self._scatter, self._steps, self._jitter)

    def _know(self, known: tuple[float, ...]) -> None:
        self.bias, self.wobble, self._scatter, self._steps, self._jitter = known

    def _widen(self) -> None:
        """Let a fuzzy clock's packets follow as long as its jitter may explain them."""
        self.tolerance = self.unit / 2 + min(5 * self.wobble, self.jitter)

    def shift(self, samples: int) -> None:
        """Expect deltas `samples` larger from now on: the track was put right."""
        if self.crisp:
            self.near += samples
            self.level += samples
        else:
            # Since the loss that is proved now it was taken for jitter: unlearn that,
            # or each loss makes the next one harder to find.
            self._know(self._before_below if samples > 0 else self._before_above)
            # It was put right because of what the slow mean has not seen yet.
            self.near = self.level = self.bias
        self._last += samples
        self._forget()

    def move(self, off: float) -> None:
        """Expect deltas `off` larger from now on: that is what a run agreed on."""
        self.near += off
        if not self.crisp:
            self.level = self.near

    def rebase(self, off: float) -> None:
        """Take it that the origin itself was `off` samples wrong, and nothing else."""
        self.near += off
        self.level = self.bias = self.near

    def to_json(self) -> ClockJson:
        """The clock for storage."""
        return {
            "unit": self.unit,
            "crisp": self.crisp,
            "seen": self.seen,
            "numbers": [getattr(self, name) for name in _NUMBERS],
            "known": [list(self._before_above), list(self._before_below)],
        }

    @classmethod
    def from_json(cls, rate: int, stored: ClockJson) -> Self:
        """The clock that `to_json` described."""
        clock = cls(rate)
        clock.crisp = stored["crisp"]
        clock.seen = stored["seen"]
        for name, number in zip(_NUMBERS, stored["numbers"], strict=True):
            setattr(clock, name, number)
        clock.unit = stored["unit"]
        above, below = stored.get("known", [clock._known()] * 2)
        clock._before_above, clock._before_below = tuple(above), tuple(below)
        clock._choose()
        return clock


_NUMBERS = (
    "near",
    "level",
    "bias",
    "wobble",
    "lean",
    "_scatter",
    "_steps",
    "_jitter",
    "_proof",
    "_last",
    "_above",
    "_below",
)
