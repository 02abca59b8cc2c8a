/* The microphone: asked for when it is needed, given back soon after.
 *
 * While it is on and its gate is shut, nothing of it leaves the sound card's thread.
 */

import { _, fill } from "./text.js";

const WANTED = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: { ideal: 1 } },
};

/* Why this browser can open no microphone at all; empty: it may. */
export function whyNone() {
  if (!window.isSecureContext) return _("Speaking needs a console that is served over HTTPS: this browser gives its microphone to no other.");
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) return _("This browser cannot open a microphone.");
  return "";
}

const denials = {
  NotAllowedError: () => _("The microphone is denied. Allow it for this page in the browser's address bar, then press again."),
  NotFoundError: () => _("There is no microphone. Connect one, then press again."),
  NotReadableError: () => _("The microphone cannot be opened: another program may be using it."),
};

export function denialWords(fault) {
  return denials[fault.name]?.() ?? fill(_("The microphone cannot be opened: %(why)s"), { why: fault.message });
}

export class Microphone {
  constructor(stream, context, node, { framed, level, closed, lost }) {
    Object.assign(this, { stream, context, node });
    node.port.onmessage = ({ data }) => {
      if (data.type === "frame") framed(data.samples, data.peak);
      else if (data.type === "level") level(data.peak);
      else closed();
    };
    for (const track of stream.getTracks()) track.onended = lost;
  }

  /* Throws what getUserMedia throws. `to` gets `framed(samples, peak)`, `level(peak)`,
   * `closed()` after the last frame, and `lost()` when the device has gone. */
  static async open(worklet, rate, to) {
    const stream = await navigator.mediaDevices.getUserMedia(WANTED);
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      await Promise.all([context.resume(), context.audioWorklet.addModule(worklet)]);
      const node = new AudioWorkletNode(context, "speaker", {
        numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit", processorOptions: { rate },
      });
      context.createMediaStreamSource(stream).connect(node);
      const made = new Microphone(stream, context, node, to);
      made.rate = rate;
      return made;
    } catch (fault) {
      for (const track of stream.getTracks()) track.stop();
      context.close();
      throw fault;
    }
  }

  gate(isOpen) {
    this.node.port.postMessage({ type: isOpen ? "open" : "close" });
  }

  close() {
    this.node.port.onmessage = null;
    this.node.port.postMessage({ type: "end" });
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    this.context.close();
  }
}
