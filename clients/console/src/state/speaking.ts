/** What the user has chosen on the view Speak. The view Code shows the same request. */

import { computed, reactive } from "vue";
import { text as page } from "../i18n";
import type { Recording } from "../lib/recording";
import { capabilities, health } from "./server";
import type { SpeakRequest } from "./takes";

export type VoiceFrom = "server" | "recording";

export const speaking = reactive({
  text: "",
  mode: "sft",
  /** Empty: the server chooses by the language. */
  voice: "",
  voiceFrom: "server" as VoiceFrom,
  prompt: null as Recording | null,
  promptText: "",
  source: null as Recording | null,
  instruction: "",
  speed: 1,
  language: "auto",
  /** Null: the model's. */
  sampleRate: null as number | null,
  seed: "",
  targetS: "",
  markup: true,
});

export const sampleRate = computed(() => speaking.sampleRate ?? capabilities.value?.sample_rate ?? 24_000);

/** What is missing, in words; empty when it can be spoken. */
export const missing = computed(() => {
  const { needs } = page.value.speak;
  if (health.value?.ready !== true || capabilities.value === null) return needs.server;
  if (speaking.mode === "vc" ? speaking.source === null : speaking.text.trim() === "") {
    return speaking.mode === "vc" ? needs.source : needs.text;
  }
  if (speaking.voiceFrom === "recording" && speaking.prompt === null) return needs.prompt;
  if (speaking.mode === "instruct" && speaking.instruction.trim() === "") return needs.instruction;
  return "";
});

/** The request as the server takes it. What has its default is left out. */
export const request = computed<SpeakRequest>(() => {
  const made: SpeakRequest = {};
  if (speaking.mode !== "sft") made.mode = speaking.mode;
  if (speaking.voiceFrom === "recording") {
    if (speaking.prompt?.kind === "bytes") made.prompt_audio = speaking.prompt.bytes;
    if (speaking.prompt?.kind === "path") made.prompt_wav_path = speaking.prompt.path;
    if (speaking.mode !== "cross_lingual" && speaking.mode !== "vc" && speaking.promptText.trim() !== "") {
      made.prompt_text = speaking.promptText.trim();
    }
  } else if (speaking.voice !== "") {
    made.voice = speaking.voice;
  }
  if (speaking.mode === "vc") {
    if (speaking.source?.kind === "bytes") made.source_audio = speaking.source.bytes;
    if (speaking.source?.kind === "path") made.source_wav_path = speaking.source.path;
  }
  if (speaking.mode === "instruct") made.instruct_text = speaking.instruction.trim();
  if (speaking.language !== "auto") made.language = speaking.language;
  if (speaking.speed !== 1) made.speed = speaking.speed;
  if (speaking.sampleRate !== null) made.sample_rate = speaking.sampleRate;
  if (/^\d+$/.test(speaking.seed.trim())) made.seed = Number(speaking.seed);
  if (Number(speaking.targetS) > 0) made.target_s = Number(speaking.targetS);
  if (!speaking.markup) made.markup = false;
  return made;
});

/** The text that is sent: mode vc takes none. */
export const spokenText = computed(() => (speaking.mode === "vc" ? "" : speaking.text));
