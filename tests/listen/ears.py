"""What a page plays, measured: an analyser on every way to the loudspeaker."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.listen.tones import BOB_HZ, HZ_PER_STEP, LOWEST, STEP_MS, STEPS

# Before any of the page's own scripts: whatever is connected to the loudspeaker is
# measured on its way. A microphone that is asked for is counted.
HOOK = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const ears = new AnalyserNode(this.context, {
      fftSize: 2048, smoothingTimeConstant: 0, minDecibels: -120,
    });
    connect.call(this, ears);
    window.ears = ears;
  }
  return connect.call(this, to, ...rest);
};
window.microphones = 0;
navigator.mediaDevices.getUserMedia = () => {
  window.microphones += 1;
  return Promise.reject(new Error("no microphone"));
};
window.tone = (low, high) => {
  const bins = new Float32Array(ears.frequencyBinCount);
  ears.getFloatFrequencyData(bins);
  const width = ears.context.sampleRate / ears.fftSize;
  let best = Math.ceil(low / width);
  for (let at = best; at < high / width; at += 1) if (bins[at] > bins[best]) best = at;
  const [left, peak, right] = bins.slice(best - 1, best + 2);
  const between = (left - right) / (2 * (left - 2 * peak + right));
  return { hz: (best + between) * width, db: peak, at: Date.now() };
};
window.tones = async (low, high, count) => {
  const found = [];
  for (let n = 0; n < count; n += 1) {
    found.push(window.tone(low, high));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return found;
};
"""
HEARD_DB = -50
ROUND_MS = STEPS * STEP_MS
# The analyser looks at 43 ms of sound; on average its middle is so long ago.
WINDOW_MS = 21


@dataclass(frozen=True)
class Lag:
    """How long after it was said something was heard, in ms; modulo 15 s."""

    median: float
    worst: float
    heard: int


class Ears:
    """Measures one page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def tones(self, low: int, high: int, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate(
            f"tones({low}, {high}, {count})"
        )
        return [tone for tone in found if tone["db"] > HEARD_DB]

    def alice(self, count: int = 100) -> Lag:
        """Measure how long ago Alice said what is heard now."""
        highest = LOWEST + STEPS * HZ_PER_STEP
        lags = []
        for tone in self.tones(LOWEST - 50, highest + 50, count):
            step = round((tone["hz"] - LOWEST) / HZ_PER_STEP)
            said_ms = (step + 0.5) * STEP_MS
            lags.append((tone["at"] - WINDOW_MS - said_ms) % ROUND_MS)
        lags.sort()
        if not lags:
            return Lag(float("nan"), float("nan"), 0)
        middle = lags[len(lags) // 2]
        return Lag(middle, lags[-1 - len(lags) // 20], len(lags))

    def bob(self, count: int = 20) -> list[float]:
        """Return the frequencies heard where Bob's note is."""
        near = self.tones(BOB_HZ - 200, BOB_HZ + 200, count)
        return [tone["hz"] for tone in near]
