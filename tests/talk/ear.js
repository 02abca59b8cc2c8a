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
  const ears = new AnalyserNode(context, { fftSize: 512 });
  context.createMediaStreamSource(stream).connect(ears);
  const samples = new Float32Array(ears.fftSize);
  let loudAt = 0;
  setInterval(() => {
    if (!stream.active) return;
    ears.getFloatTimeDomainData(samples);
    const first = samples.findIndex((one) => Math.abs(one) > LOUD);
    if (first < 0) return;
    const now = performance.timeOrigin + performance.now();
    const at = now - ((samples.length - first) / context.sampleRate) * 1000;
    if (at - loudAt > PAUSE_MS) window.bursts.push(at);
    loudAt = now;
  }, 4);
  return stream;
};
const Dialled = window.WebSocket;
window.WebSocket = class extends Dialled {
  constructor(...given) {
    super(...given);
    window.sockets.push(this);
  }
};
