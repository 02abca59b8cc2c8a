/* The sound of listening: an audio context with our worklet, and nothing else.
 *
 * It opens no microphone. `output` is the last node
 * before the loudspeaker: whoever wants to measure what is heard connects to it.
 */

export class Sound {
  constructor(context, node, reported) {
    this.context = context;
    this.node = node;
    this.output = node;
    node.port.onmessage = ({ data }) => reported(data);
  }

  static async open(worklet, reported) {
    const context = new AudioContext({ latencyHint: "interactive" });
    await Promise.all([context.resume(), context.audioWorklet.addModule(worklet)]);
    const node = new AudioWorkletNode(context, "listener", { numberOfInputs: 0, outputChannelCount: [2] });
    node.connect(context.destination);
    return new Sound(context, node, reported);
  }

  /* Between what the worklet renders and what the ear gets, in seconds. */
  get delay() {
    return this.context.outputLatency || this.context.baseLatency || 0;
  }

  frames(buffer) {
    this.node.port.postMessage({ type: "frames", buffer }, [buffer]);
  }

  tell(message) {
    this.node.port.postMessage(message);
  }

  close() {
    this.node.port.onmessage = null;
    this.node.disconnect();
    this.context.close();
  }
}
