/** Takes: what was spoken on this page, to hear again, compare and keep. */

import type { Format, HttpSound, Playback, Request } from "rtclient";
import { markRaw, reactive, shallowReactive } from "vue";
import { Samples, floatsOf } from "../lib/samples";
import { save } from "../lib/save";
import { wavOf } from "../lib/wav";
import { playerFor, stopAll } from "./player";
import type { Problem } from "./problems";
import { problemOf } from "./problems";
import { capabilities, http } from "./server";

/** What is asked for: as the client library has it, and recordings that lie on the server. */
export type SpeakRequest = Request & { prompt_wav_path?: string; source_wav_path?: string };

export interface Take {
  readonly id: number;
  readonly text: string;
  readonly request: SpeakRequest;
  readonly made: Date;
  state: "waiting" | "coming" | "whole" | "stopped" | "failed";
  samples: Samples;
  /** Counts the pieces that came: what is drawn follows it. */
  pieces: number;
  lengthS: number;
  seed: number | null;
  utterance: string;
  firstAudioMs: number | null;
  tookMs: number | null;
  warning: string;
  problem: Problem | null;
  /** How much is heard now; null while it does not play. */
  heardS: number | null;
  underruns: number;
}

const MOST_TAKES = 50;

export const takes = shallowReactive<Take[]>([]);

let count = 0;
let playback: { take: Take; playback: Playback } | undefined;
let abort: AbortController | undefined;

/** Speaks it and plays while it comes. Resolves when all of it has come. */
export async function speak(text: string, request: SpeakRequest, sampleRate: number): Promise<Take> {
  const opening = playerFor(sampleRate); // at once: browsers want it in the handler of the click
  await stop();
  const take = add(text, request, sampleRate);
  const begun = performance.now();
  const calling = (abort = new AbortController());
  let playing: Playback | undefined;
  try {
    const player = await opening;
    const asked = { ...request, format: "pcm_s16le", sample_rate: sampleRate } satisfies Request;
    const sound = await http.value.speak(text, asked, { signal: calling.signal });
    note(take, sound);
    playing = player.start();
    follow(take, playing);
    for await (const bytes of sound) {
      take.firstAudioMs ??= performance.now() - begun;
      playing.write(floatsOf(take.samples.push(bytes)));
      take.lengthS = take.samples.lengthS;
      take.pieces += 1;
    }
    playing.end();
    take.state = "whole";
    take.tookMs = performance.now() - begun;
  } catch (error) {
    playing?.end(); // what came is heard to its end
    take.state = calling.signal.aborted ? "stopped" : "failed";
    if (!calling.signal.aborted) take.problem = problemOf(error);
  }
  return take;
}

/** Plays a take from `fromS` on. */
export async function play(take: Take, fromS = 0): Promise<void> {
  const opening = playerFor(take.samples.sampleRate);
  await silence();
  const playing = (await opening).start();
  follow(take, playing, fromS);
  playing.write(floatsOf(take.samples.all().subarray(Math.round(fromS * take.samples.sampleRate))));
  playing.end();
}

/** Stops what plays, and what is still being made. */
export async function stop(): Promise<void> {
  abort?.abort();
  await silence();
}

/** Saves a take in a format. The server makes it again, of the same seed, which gives the same samples. */
export async function download(take: Take, format: Format, extension: string): Promise<void> {
  const name = `take-${take.id}.${extension}`;
  if (format === "wav" || take.state !== "whole") {
    save(wavOf(take.samples.all(), take.samples.sampleRate), name);
    return;
  }
  const asked = { ...take.request, seed: take.seed ?? 0, format, class: "batch" } satisfies SpeakRequest;
  if (asked.sample_rate !== undefined && !hasRate(format, asked.sample_rate)) delete asked.sample_rate;
  const file = await http.value.speakFile(take.text, asked);
  save(new Blob([file.audio.slice()], { type: file.media_type }), name);
}

function hasRate(format: Format, rate: number): boolean {
  const known = capabilities.value?.formats.find((one) => one.name === format);
  return known !== undefined && (known.sample_rates?.includes(rate) ?? true);
}

export function remove(take: Take): void {
  if (playback?.take === take) void stop();
  takes.splice(takes.indexOf(take), 1);
}

function add(text: string, request: SpeakRequest, sampleRate: number): Take {
  const take = reactive<Take>({
    id: ++count,
    text,
    request: markRaw(request),
    made: new Date(),
    state: "waiting",
    samples: markRaw(new Samples(sampleRate)),
    pieces: 0,
    lengthS: 0,
    seed: null,
    utterance: "",
    firstAudioMs: null,
    tookMs: null,
    warning: "",
    problem: null,
    heardS: null,
    underruns: 0,
  }) as Take;
  takes.unshift(take);
  takes.splice(MOST_TAKES);
  return take;
}

function note(take: Take, sound: HttpSound): void {
  take.state = "coming";
  take.seed = sound.seed;
  take.utterance = sound.id;
  take.warning = sound.warning ?? "";
}

function follow(take: Take, playing: Playback, fromS = 0): void {
  const current = (playback = { take, playback: playing });
  take.heardS = fromS;
  playing.onPosition = (heardMs) => {
    if (playback !== current) return;
    take.heardS = fromS + heardMs / 1000;
    take.underruns = playing.underruns;
  };
  void playing.finished.then(() => {
    if (playback !== current) return;
    playback = undefined;
    take.heardS = null;
  });
}

async function silence(): Promise<void> {
  if (playback !== undefined) playback.take.heardS = null;
  playback = undefined;
  await stopAll();
}
