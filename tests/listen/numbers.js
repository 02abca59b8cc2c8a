async () => {
  const { Mix } = await import("/static/calls/listen_mix.js");
  const { Stretch } = await import("/static/calls/listen_stretch.js");
  const { Player } = await import("/static/calls/listen_player.js");
  const OUT = 48000;

  const tone = (rate, hz, seconds, from = 0) =>
    Int16Array.from({ length: Math.round(rate * seconds) }, (_, i) => 16000 * Math.sin((2 * Math.PI * hz * (from + i)) / rate));
  /* What of a signal is not that tone, in dB below it: the best fit of sine and cosine. */
  const beside = (signal, rate, hz) => {
    let [s, c] = [0, 0];
    signal.forEach((x, i) => {
      s += x * Math.sin((2 * Math.PI * hz * i) / rate);
      c += x * Math.cos((2 * Math.PI * hz * i) / rate);
    });
    [s, c] = [(2 * s) / signal.length, (2 * c) / signal.length];
    let rest = 0;
    let all = 0;
    signal.forEach((x, i) => {
      const fit = s * Math.sin((2 * Math.PI * hz * i) / rate) + c * Math.cos((2 * Math.PI * hz * i) / rate);
      rest += (x - fit) ** 2;
      all += x ** 2;
    });
    return 10 * Math.log10(rest / all);
  };
  const frame = (start, pcm, rate = 16000, more = {}) => ({
    track: 0, generation: 1, rate, samples: pcm.length, start, pcm, ...more,
  });

  // Resampling, from one long block and from many small ones.
  const mix = new Mix(OUT, 10);
  mix.write(frame(0, tone(16000, 1000, 2)));
  const pieces = new Mix(OUT, 10);
  for (let at = 0; at < 32000; at += 320) pieces.write(frame(at, tone(16000, 1000, 0.02, at)));
  const blocks = new Float32Array(OUT);
  for (let at = 0; at + 128 <= OUT; at += 128) blocks.set(pieces.render(0.5 + at / OUT, 128), at);

  // Stretching 200 Hz: a voice's pitch.
  const stretched = {};
  for (const speed of [0.8, 1.25, 1.5, 2]) {
    const source = new Mix(OUT, 30);
    source.write(frame(0, tone(16000, 200, 12)));
    const stretch = new Stretch(OUT, (at, length) => source.render(at, length));
    stretch.begin(1);
    const out = [];
    while (out.length < 2 * OUT) out.push(...stretch.next(speed));
    let crossings = 0;
    let [first, last] = [0, 0];
    for (let i = 1; i < out.length; i += 1) {
      if (out[i - 1] < 0 && out[i] >= 0) {
        const at = i - out[i] / (out[i] - out[i - 1]);
        if (!crossings) first = at;
        last = at;
        crossings += 1;
      }
    }
    const hz = ((crossings - 1) * OUT) / (last - first);
    stretched[speed] = { hz, speed: (stretch.position - 1) / (out.length / OUT), noise: beside(out.slice(OUT / 2, OUT), OUT, hz) };
  }

  // A player that is fed in real time.
  const playing = (feed, seconds, at = null) => {
    const player = new Player(OUT);
    player.go(1, at);
    const out = [];
    for (let block = 0; block < (seconds * OUT) / 128; block += 1) {
      feed(player, (block * 128) / OUT);
      const piece = new Float32Array(128);
      player.process(piece);
      out.push(...piece);
    }
    return { player, out };
  };
  const biggestStep = (out) => out.reduce((most, x, i) => (i ? Math.max(most, Math.abs(x - out[i - 1])) : 0), 0);
  /* Packets of 60 ms that are there `late(n)` seconds after they were said. */
  const live = (late, skip = () => false) => {
    let n = 0;
    return (player, now) => {
      while (now >= (n + 1) * 0.06 + late(n)) {
        if (!skip(n)) player.push(frame(n * 960, tone(16000, 200, 0.06, n * 960)));
        n += 1;
      }
    };
  };
  const calm = playing(live(() => 0.02), 40).player.report();
  const lateFeed = playing(live((n) => (n >= 50 && n < 56 ? 0.3 : 0.02)), 6).player;
  const first = new Player(OUT).cushion;
  const paused = playing(live(() => 0.02, (n) => n >= 50 && n < 100), 9).player;

  // From the past at 1.5 × and back to 1 ×: the steepest step of a 200 Hz tone is 0.013.
  const steps = playing(
    (player, now) => {
      if (now === 0) player.push(frame(0, tone(16000, 200, 10)));
      if (Math.abs(now - 1) < 0.001) player.speed = 1.5;
      if (Math.abs(now - 2) < 0.001) player.speed = 1;
    },
    3,
    0,
  );

  const stale = new Player(OUT);
  stale.go(2, null);
  stale.push(frame(0, tone(16000, 200, 1)));

  const report = ({ underruns, holes, following }) => ({ underruns, holes, following });
  return {
    resampled: beside(mix.render(0.5, OUT), OUT, 1000),
    border: beside(blocks, OUT, 1000),
    stretched,
    step: biggestStep(steps.out),
    late: { first, grown: lateFeed.cushion, underruns: lateFeed.underruns },
    calm,
    pause: report(paused.report()),
    stale: stale.end,
  };
}
