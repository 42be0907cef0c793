/** Lanes: speeches side by side on one connection. Each takes text while it speaks. */

import { ConnectionLost } from "rtclient";
import type { Cancelled, Mark, Playback, Player, Speech, SpeechMessage } from "rtclient";
import { markRaw, reactive, shallowReactive } from "vue";
import { language as pageLanguage } from "../i18n";
import { session } from "./connection";
import { laneOn } from "./player";
import { problemOf } from "./problems";
import type { Problem } from "./problems";
import { capabilities } from "./server";
import { traceOf } from "./traces";
import type { Trace } from "./traces";

export interface Lane {
  readonly id: number;
  /** Empty: the server chooses by the language. */
  voice: string;
  language: string;
  speed: number;
  isMuted: boolean;
  /** opening: waits for the connection. open: takes text. ended: no more text comes. over: nothing comes any more. */
  state: "new" | "opening" | "open" | "ended" | "over";
  /** All text that was sent. */
  text: string;
  marks: readonly Mark[];
  sentMs: number;
  heardMs: number;
  /** From the first text to the first sound, in this page. */
  firstAudioMs: number | null;
  /** Seconds since the first text, and how much sound was there and not heard. */
  points: { atS: number; leadS: number }[];
  /** Where the sound broke off, in seconds since the first text, and whether that was because no text had come. */
  gaps: { atS: number; isForText: boolean }[];
  /** Milliseconds by stage, as the server says at the end. */
  timings: Record<string, number> | null;
  textStarvedMs: number;
  utterance: string;
  trace: Trace | null;
  cancelled: Cancelled | null;
  warnings: readonly string[];
  problem: Problem | null;
  readonly inner: Inner;
}

/** What is not shown. */
interface Inner {
  sound: { player: Player; gain: GainNode } | null;
  speech: Speech | null;
  playback: Playback | null;
  /** When the first text was sent. */
  begun: number | null;
  ticks: number;
}

export const MOST_LANES = 8;
const TICK_MS = 100;
const TRACE_EVERY_TICKS = 10;

export const lanes = shallowReactive<Lane[]>([]);

let count = 0;
let context: AudioContext | undefined;

export function addLane(): Lane {
  const before = lanes.at(-1);
  const lane = reactive<Lane>({
    id: ++count,
    voice: "",
    language: before?.language ?? pageLanguage.value,
    speed: 1,
    isMuted: before !== undefined,
    state: "new",
    ...fresh(),
    inner: markRaw<Inner>({ sound: null, speech: null, playback: null, begun: null, ticks: 0 }),
  }) as Lane;
  lanes.push(lane);
  return lane;
}

export async function removeLane(lane: Lane): Promise<void> {
  lanes.splice(lanes.indexOf(lane), 1);
  await interrupt(lane);
  await lane.inner.sound?.player.close();
}

/** Opens a new speech. With `text` all pieces of it are sent and it ends; without, `send` and `end` do that. */
export async function begin(lane: Lane, text?: AsyncIterable<string>): Promise<void> {
  await interrupt(lane);
  Object.assign(lane, fresh(), { state: "opening" });
  try {
    const sound = await soundOf(lane);
    const opened = await session();
    if (lane.state !== "opening") return; // it was interrupted meanwhile
    const speech = opened.speak(undefined, {
      ...(lane.voice === "" ? {} : { voice: lane.voice }),
      language: lane.language,
      speed: lane.speed,
      sample_rate: sound.player.context.sampleRate,
    });
    Object.assign(lane.inner, { speech, playback: sound.player.play(speech), begun: null, ticks: 0 });
    lane.state = "open";
    speech.listen((message) => take(lane, speech, message));
    void watch(lane, speech);
    if (text !== undefined) await feed(lane, speech, text);
  } catch (error) {
    lane.problem = problemOf(error);
    lane.state = "over";
  }
}

/** Sends more text. */
export function send(lane: Lane, text: string): void {
  if (lane.state !== "open" || text === "") return;
  lane.inner.begun ??= performance.now();
  lane.text += text;
  lane.inner.speech?.send(text);
}

/** All text so far is spoken to its end. */
export function flush(lane: Lane): void {
  if (lane.state === "open" && lane.text !== "") void lane.inner.speech?.flush(`f${lane.text.length}`).catch(() => {});
}

/** No more text comes. */
export function end(lane: Lane): void {
  if (lane.state !== "open") return;
  lane.state = "ended";
  lane.inner.speech?.end();
}

/** Stops it within a few milliseconds. */
export async function interrupt(lane: Lane): Promise<void> {
  const { playback, speech } = lane.inner;
  if (lane.state === "opening") lane.state = "over";
  if (playback === null || speech === null || lane.state === "over") return;
  await playback.stop();
  await speech.over;
  lane.cancelled = speech.cancelled ?? null;
  lane.state = "over";
}

export function mute(lane: Lane, isMuted: boolean): void {
  lane.isMuted = isMuted;
  if (lane.inner.sound) lane.inner.sound.gain.gain.value = isMuted ? 0 : 1;
}

function fresh() {
  return {
    text: "",
    marks: [] as Mark[],
    sentMs: 0,
    heardMs: 0,
    firstAudioMs: null,
    points: [] as Lane["points"],
    gaps: [] as Lane["gaps"],
    timings: null,
    textStarvedMs: 0,
    utterance: "",
    trace: null,
    cancelled: null,
    warnings: [] as string[],
    problem: null,
  };
}

async function soundOf(lane: Lane): Promise<NonNullable<Inner["sound"]>> {
  context ??= new AudioContext({ sampleRate: capabilities.value?.sample_rate ?? 24_000, latencyHint: "interactive" });
  await context.resume();
  const sound = (lane.inner.sound ??= markRaw(await laneOn(context)));
  mute(lane, lane.isMuted);
  return sound;
}

async function feed(lane: Lane, speech: Speech, text: AsyncIterable<string>): Promise<void> {
  for await (const piece of text) {
    if (lane.inner.speech !== speech || lane.state !== "open") return;
    send(lane, piece);
  }
  end(lane);
}

function take(lane: Lane, speech: Speech, message: SpeechMessage): void {
  if (lane.inner.speech !== speech) return;
  switch (message.type) {
    case "started":
      lane.utterance = message.id;
      break;
    case "audio":
      lane.firstAudioMs ??= performance.now() - (lane.inner.begun ?? performance.now());
      lane.sentMs = message.start_ms + message.data.length / 2 / ((speech.started?.sample_rate ?? 24_000) / 1000);
      break;
    case "mark":
      lane.marks = [...speech.marks];
      break;
    case "warning":
      lane.warnings = speech.warnings.map((warning) => warning.message);
      break;
    case "done":
      lane.timings = message.timings;
      lane.textStarvedMs = message.text_starved_ms;
      break;
  }
}

/** Follows what is heard until nothing more comes. */
async function watch(lane: Lane, speech: Speech): Promise<void> {
  const timer = setInterval(() => tick(lane, speech), TICK_MS);
  await speech.over;
  await lane.inner.playback?.finished;
  clearInterval(timer);
  if (lane.inner.speech !== speech) return;
  tick(lane, speech);
  if (speech.error !== undefined) lane.problem = problemOf(speech.error);
  lane.state = "over";
  if (!(speech.error instanceof ConnectionLost)) await refreshTrace(lane, speech);
}

function tick(lane: Lane, speech: Speech): void {
  const { playback, begun } = lane.inner;
  if (lane.inner.speech !== speech || playback === null || begun === null) return;
  const atS = (performance.now() - begun) / 1000;
  lane.heardMs = playback.heardMs;
  while (lane.gaps.length < playback.underruns) lane.gaps.push({ atS, isForText: isAllSpoken(lane) });
  if (lane.firstAudioMs !== null) lane.points.push({ atS, leadS: Math.max(0, lane.sentMs - lane.heardMs) / 1000 });
  if (++lane.inner.ticks % TRACE_EVERY_TICKS === 0) void refreshTrace(lane, speech);
}

/** Whether the last word that was sent was spoken, so that the writer is what speech waits for. */
function isAllSpoken(lane: Lane): boolean {
  const last = lane.marks.at(-1);
  return lane.state === "open" && last !== undefined && last.offset + [...last.text].length >= [...lane.text.trimEnd()].length;
}

async function refreshTrace(lane: Lane, speech: Speech): Promise<void> {
  if (lane.utterance === "") return;
  const trace = await traceOf(lane.utterance);
  if (lane.inner.speech === speech && trace !== null) lane.trace = markRaw(trace);
}
