// The JavaScript client in Node. Arguments: the server's URL, the case, the key, the voice.
import WebSocket from "ws";
import { Http, Reconnecting, connect } from "rtclient";

const [url, name, apiKey, voice = "default"] = process.argv.slice(2);
const options = { apiKey, WebSocket };

async function* words() {
  for (const word of ["one ", "two ", "three ", "four"]) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    yield word;
  }
}

async function heard(speech) {
  let bytes = 0;
  let next = 0; // the number of the frame that must come
  for await (const audio of speech) {
    if (audio.seq !== next++) throw new Error(`expected frame ${next - 1}, found ${audio.seq}`);
    bytes += audio.data.length;
  }
  return { bytes, words: speech.marks.map((mark) => mark.text), audio_ms: speech.done?.audio_ms };
}

async function failure(work) {
  try {
    return { unexpected: await work() };
  } catch (error) {
    return { name: error.name, code: error.code ?? null, retryable: error.retryable ?? null, advice: error.advice };
  }
}

const cases = {
  async speaks() {
    const session = await connect(url, options);
    const start = { voice, language: "en" };
    const turns = [await heard(session.speak(words(), start)), await heard(session.speak("one two three four", start))];
    const speech = session.speak(undefined, start);
    speech.send("one two ");
    const { audio_ms } = await speech.flush();
    speech.end();
    await speech.over;
    await session.ping();
    session.close();
    return { turns, flushed: audio_ms === speech.done.audio_ms };
  },

  async http() {
    const http = new Http(url, { apiKey });
    const file = await http.speakFile("one two three four", { voice, format: "wav" });
    const sound = await http.speak("one two three four", { voice });
    const { voices } = await http.voices();
    const { clauses } = await http.read("one two");
    return {
      file: file.audio.length,
      words: file.words.map(({ word }) => word),
      bytes: (await sound.bytes()).length,
      sampleRate: sound.sampleRate,
      voices: voices.length,
      clauses: clauses.map(({ text }) => text),
    };
  },

  // In mid-speech, and by leaving the loop; the next speech is whole.
  async interrupts() {
    const session = await connect(url, options);
    const long = "one two three four ".repeat(30);
    const speech = session.speak(long);
    const sound = speech[Symbol.asyncIterator]();
    let audio = await sound.next();
    while (audio.value.start_ms < 200) audio = await sound.next();
    speech.played(100);
    const cancelled = await speech.cancel();
    const isSilent = (await sound.next()).done;
    for await (const _audio of session.speak(long)) break;
    return { cancelled, isSilent, after: await heard(session.speak("one two three four")) };
  },

  // The server ends the sound with one faded frame; what came is kept.
  async fades() {
    const session = await connect(url, options);
    const speech = session.speak("one two three four ".repeat(30));
    const frames = [];
    const sound = speech[Symbol.asyncIterator]();
    frames.push((await sound.next()).value);
    const cancelled = await speech.cancel(5);
    for (let next = await sound.next(); !next.done; next = await sound.next()) frames.push(next.value);
    const last = frames.at(-1).data;
    return { seqs: frames.map(({ seq }) => seq), bytes: last.length, end: [...last.slice(-2)], isCancelled: cancelled !== undefined };
  },

  // Once as the session's error, once as the speech's, once over HTTP.
  async fails() {
    const http = new Http(url, { apiKey });
    return {
      speech: await failure(async () => heard((await connect(url, options)).speak("one", { voice }))),
      http: await failure(() => http.speak("one", { voice })),
    };
  },

  async nowhere() {
    return failure(() => connect(url, options));
  },

  // A helper that comes back by itself gives up only where it is hopeless.
  async stranger() {
    const states = [];
    const connection = new Reconnecting(url, { ...options, onChange: (state) => states.push(state) });
    return { ...(await failure(() => connection.session())), states };
  },

  // The server goes in mid-speech, and comes back.
  async restarts() {
    const states = [];
    const connection = new Reconnecting(url, { ...options, firstDelayMs: 50, onChange: (state) => states.push(state) });
    const before = await heard((await connection.session()).speak("one two three four"));
    const session = await connection.session();
    const broken = await failure(() => heard(session.speak("one two three four ".repeat(30))));
    const after = await heard((await connection.session()).speak("one two three four"));
    connection.close();
    return { before, broken, after, states: [...new Set(states)] };
  },
};

console.log(JSON.stringify(await cases[name]()));
process.exit(0);
