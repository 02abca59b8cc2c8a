/* The audio messages of /ws/listen, as streaming/listen/track.py writes them. */

const HEADER = 32;
const VERSION = 1;
const SILENT = 1;
const LIVE = 2;
const HOLE = 4;

/* The frames of one message. `start` is the first sample at `rate`, on the call's clock;
 * `pcm` is null where `samples` zeros are meant. A message that is cut ends the list. */
export function framesOf(buffer) {
  const view = new DataView(buffer);
  const frames = [];
  let at = 0;
  while (at + HEADER <= buffer.byteLength) {
    if (view.getUint8(at) !== VERSION) break;
    const flags = view.getUint8(at + 1);
    const samples = view.getUint32(at + 12, true);
    const bytes = flags & SILENT ? 0 : samples * 2;
    if (at + HEADER + bytes > buffer.byteLength) break;
    frames.push({
      track: view.getUint16(at + 2, true),
      generation: view.getUint32(at + 4, true),
      rate: view.getUint32(at + 8, true),
      samples,
      start: view.getFloat64(at + 16, true),
      sentAt: view.getFloat64(at + 24, true),
      live: Boolean(flags & LIVE),
      hole: Boolean(flags & HOLE),
      pcm: bytes ? new Int16Array(buffer.slice(at + HEADER, at + HEADER + bytes)) : null,
    });
    at += HEADER + bytes;
  }
  return frames;
}
