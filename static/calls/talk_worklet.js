/* The part of speaking that runs beside the sound card.
 *
 * It hears as long as the microphone is on, for the meter. Samples leave it only while
 * its gate is open.
 */

import { Framer, Resampler } from "./talk_resampler.js";

class Speaker extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    this.framer = new Framer(rate, (samples, peak) => this.framed(samples, peak));
    this.isOpen = false;
    this.isOver = false;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told({ type }) {
    if (type === "open") {
      this.framer.begin();
      this.isOpen = true;
    } else if (type === "close" && this.isOpen) {
      // What was said of the last 20 ms, and that it is all.
      this.framer.end();
      this.isOpen = false;
      this.port.postMessage({ type: "closed" });
    } else if (type === "end") this.isOver = true;
  }

  framed(samples, peak) {
    if (this.isOpen) this.port.postMessage({ type: "frame", samples, peak }, [samples.buffer]);
    else this.port.postMessage({ type: "level", peak });
  }

  process([input]) {
    if (input.length) this.resampler.push(input[0], (sample) => this.framer.add(sample));
    return !this.isOver;
  }
}

registerProcessor("speaker", Speaker);
