/* The part of listening that runs beside the sound card. */

import { framesOf } from "./listen_frames.js";
import { Player } from "./listen_player.js";

const REPORT_SECONDS = 0.05;

class Listener extends AudioWorkletProcessor {
  constructor() {
    super();
    this.player = new Player(sampleRate);
    this.reported = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told(message) {
    const { player } = this;
    switch (message.type) {
      case "frames":
        for (const frame of framesOf(message.buffer)) player.push(frame);
        break;
      case "go":
        player.go(message.generation, message.at);
        break;
      case "join":
        player.join(message.generation);
        break;
      case "gain":
        player.mix.setGain(message.track, message.gain);
        break;
      case "master":
        player.master = message.gain;
        break;
      case "speed":
        player.speed = message.speed;
        break;
    }
  }

  process(inputs, [output]) {
    const [first, ...others] = output;
    this.player.process(first);
    for (const channel of others) channel.set(first);
    if (currentTime - this.reported >= REPORT_SECONDS) {
      this.reported = currentTime;
      this.port.postMessage({ ...this.player.report(), time: currentTime });
    }
    return true;
  }
}

registerProcessor("listener", Listener);
