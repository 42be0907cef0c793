/** A short sentence in a voice of the server. It is asked for once. */

import { ref, shallowRef } from "vue";
import { Samples, floatsOf } from "../lib/samples";
import { previewOf } from "../lib/voices";
import type { ServerVoice } from "../lib/voices";
import { playerFor } from "./player";
import { problemOf } from "./problems";
import type { Problem } from "./problems";
import { capabilities, http } from "./server";
import { stop } from "./takes";

const known = new Map<string, Samples>();
const playing = ref<string | null>(null);

export const previewProblem = shallowRef<Problem | null>(null);

export const isPreviewing = (voice: ServerVoice): boolean => playing.value === voice.name;

/** Plays it, or stops it when it plays. */
export async function preview(voice: ServerVoice): Promise<void> {
  const wasPlaying = isPreviewing(voice);
  const opening = playerFor(capabilities.value?.sample_rate ?? 24_000);
  await stop();
  playing.value = null;
  if (wasPlaying) return;
  playing.value = voice.name;
  previewProblem.value = null;
  try {
    const player = await opening;
    const samples = await sampleOf(voice, player.context.sampleRate);
    if (playing.value !== voice.name) return; // another one was asked for since
    const playback = player.start();
    playback.write(floatsOf(samples.all()));
    playback.end();
    await playback.finished;
  } catch (error) {
    previewProblem.value = problemOf(error);
  }
  if (playing.value === voice.name) playing.value = null;
}

async function sampleOf(voice: ServerVoice, sampleRate: number): Promise<Samples> {
  const { text, language } = previewOf(voice);
  const name = `${voice.name}/${text}`;
  const before = known.get(name);
  if (before !== undefined) return before;
  const samples = new Samples(sampleRate);
  const request = { voice: voice.name, language, seed: 1, format: "pcm_s16le", sample_rate: sampleRate } as const;
  samples.push(await (await http.value.speak(text, request)).bytes());
  known.set(name, samples);
  return samples;
}
