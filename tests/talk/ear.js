/* Before any of the page's own scripts: notes when the microphone's bursts begin, ms
 * since 1970, as they come out of the browser's capture; and keeps sockets at hand. */
window.bursts = [];
window.microphones = 0;
window.sockets = [];
const LOUD = 1_500 / 32_768;
const PAUSE_MS = 250;
const asked = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  window.microphones += 1;
  const stream = await asked(wanted);
  const context = new AudioContext({ latencyHint: "interactive" });
  // Long enough for a page that stands still for a moment.
  const ears = new AnalyserNode(context, { fftSize: 16_384 });
  context.createMediaStreamSource(stream).connect(ears);
  const samples = new Float32Array(ears.fftSize);
  let loudAt = 0;
  setInterval(() => {
    if (!stream.active) return;
    ears.getFloatTimeDomainData(samples);
    const now = performance.timeOrigin + performance.now();
    samples.forEach((sample, number) => {
      if (Math.abs(sample) <= LOUD) return;
      const at = now - ((samples.length - number) / context.sampleRate) * 1000;
      if (at - loudAt > PAUSE_MS) window.bursts.push(at);
      loudAt = Math.max(loudAt, at);
    });
  }, 20);
  return stream;
};
const Dialled = window.WebSocket;
window.WebSocket = class extends Dialled {
  constructor(...given) {
    super(...given);
    window.sockets.push(this);
  }
};
