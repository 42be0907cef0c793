// What tests/browser/test_player.py asks of the player.
import { Player, connect } from "/rtclient/index.js";

const RATE_HZ = 24000;
const workletUrl = "/rtclient/worklet.js";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function tone(from, length) {
  return Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * (from + i)) / RATE_HZ));
}

// Renders `length_s` without a sound card. `acts` are done at their times, at which the rendering waits for them.
async function rendered(lengthS, acts, leadS = 0) {
  const context = new OfflineAudioContext(1, lengthS * RATE_HZ, RATE_HZ);
  const player = await Player.open({ workletUrl, context, leadS });
  const at = {};
  for (const [timeS, act] of acts) {
    void context.suspend(timeS).then(async () => {
      at[timeS] = context.currentTime;
      act(player);
      await sleep(30); // the worklet takes the message
      void context.resume();
    });
  }
  const samples = [...(await context.startRendering()).getChannelData(0)];
  return { samples, at };
}

// In samples. The device of a rendering holds none back.
async function played(playback) {
  await playback.finished;
  return Math.round((playback.heardMs * RATE_HZ) / 1000);
}

async function pieces() {
  let playback;
  let written = 0;
  const write = (length) => (player) => {
    playback ??= player.start();
    playback.write(tone(written, length));
    written += length;
  };
  const acts = Array.from({ length: 20 }, (_, i) => [i * 0.05, write(i === 0 ? 1500 : 1200 + (i % 3) - 1)]);
  acts.push([1, () => playback.end()]);
  const { samples } = await rendered(1.5, acts);
  return { samples, written, underruns: playback.underruns, played: await played(playback) };
}

async function stop() {
  let playback;
  const acts = [
    [0, (player) => (playback = player.start()).write(tone(0, 2 * RATE_HZ))],
    [0.5, () => void playback.stop()],
  ];
  const { samples, at } = await rendered(1, acts);
  return { samples, stopped_s: at[0.5], played: await played(playback) };
}

async function late() {
  let playback;
  const acts = [
    [0, (player) => (playback = player.start()).write(tone(0, 4800))],
    [
      0.4,
      () => {
        playback.write(tone(4800, 4800));
        playback.end();
      },
    ],
  ];
  const { samples, at } = await rendered(1, acts, 0.06);
  return {
    samples,
    written: 9600,
    resumed_s: at[0.4],
    underruns: playback.underruns,
    played: await played(playback),
  };
}

async function takes() {
  const [first, second] = [3001, 2400];
  const act = (player) => {
    const playbacks = [player.start(), player.start(), player.start()];
    for (const [number, length] of [first, 9000, second].entries()) {
      playbacks[number].write(tone(0, length));
      playbacks[number].end();
    }
    void playbacks[1].stop();
  };
  const { samples } = await rendered(1, [[0, act]]);
  return { samples, first, second };
}

async function speech(session) {
  const player = await Player.open({ workletUrl });
  const said = session.speak("one two three four one two three four");
  const playback = player.play(said);
  const positions = [];
  playback.onPosition = (ms) => positions.push(ms);
  await playback.finished;
  const { underruns, heardMs, error } = playback;
  await player.close();
  return { underruns, heard_ms: heardMs, audio_ms: said.done.audio_ms, positions, error: error ? String(error) : null };
}

async function interrupted(session) {
  const player = await Player.open({ workletUrl });
  const said = session.speak("one two three four ".repeat(20));
  const playback = player.play(said);
  await new Promise((resolve) => (playback.onPosition = (ms) => ms > 600 && resolve()));
  const heardMs = await playback.stop();
  await said.over;
  await player.close();
  return { heard_ms: heardMs, cancelled: said.cancelled };
}

async function cancelled(session) {
  const player = await Player.open({ workletUrl });
  const said = session.speak("one two three four ".repeat(20));
  const playback = player.play(said);
  await new Promise((resolve) => (playback.onPosition = resolve));
  await said.cancel();
  await playback.finished;
  await player.close();
  return { stopped: playback.isStopped, finished: true };
}

async function all() {
  const { server } = await (await fetch("/settings")).json();
  const session = await connect(server);
  return {
    pieces: await pieces(),
    stop: await stop(),
    late: await late(),
    takes: await takes(),
    speech: await speech(session),
    interrupted: await interrupted(session),
    cancelled: await cancelled(session),
  };
}

const told = await all().catch((error) => ({ error: `${error.name}: ${error.message}\n${error.stack}` }));
await fetch("/told", { method: "POST", body: JSON.stringify(told) });
