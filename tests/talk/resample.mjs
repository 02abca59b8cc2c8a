/* Resamples what comes in, 32-bit floats, to what goes out: for `test_resampler.py`.
 *
 *     node resample.mjs FROM TO < samples > samples
 */

import { readFileSync, writeSync } from "node:fs";
import { Resampler } from "../../static/calls/talk_resampler.js";

const [from, to] = process.argv.slice(2).map(Number);
const bytes = readFileSync(0);
const input = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const resampler = new Resampler(from, to);
const out = new Float32Array(Math.ceil((input.length * to) / from) + 1);
let count = 0;
for (let at = 0; at < input.length; at += 128) {
  resampler.push(input.subarray(at, at + 128), (sample) => { out[count] = sample; count += 1; });
}
const told = Buffer.from(out.buffer, 0, 4 * count);
for (let at = 0; at < told.length; ) at += writeSync(1, told, at);
