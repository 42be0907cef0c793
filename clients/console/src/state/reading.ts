/** What the user has written on the view Read, and how the server reads it. */

import type { LexiconEntry, ReadText } from "rtclient";
import { computed, reactive, shallowRef, watch } from "vue";
import type { Problem } from "./problems";
import { problemOf } from "./problems";
import { capabilities, http } from "./server";

export const WAYS = ["say", "cmu", "pinyin"] as const;
export type Way = (typeof WAYS)[number];

/** A line of the lexicon, as it is written. */
export interface EntryLine {
  readonly id: number;
  word: string;
  way: Way;
  value: string;
}

const PAUSE_MS = 250; // after the last key, before the server is asked

export const reading = reactive({
  text: "",
  language: "auto",
  markup: true,
  lines: [] as EntryLine[],
});

/** How the text is read; null before the server has answered. */
export const read = shallowRef<ReadText | null>(null);
export const readProblem = shallowRef<Problem | null>(null);

/** The lines that are complete. */
export const lexicon = computed<LexiconEntry[]>(() =>
  reading.lines
    .filter(({ word, value }) => word.trim() !== "" && value.trim() !== "")
    .map(({ word, way, value }) => ({ word: word.trim(), [way]: value.trim() })),
);

let count = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let asking: AbortController | undefined;

export function addLine(): void {
  reading.lines.push({ id: ++count, word: "", way: "say", value: "" });
}

export function removeLine(line: EntryLine): void {
  reading.lines.splice(reading.lines.indexOf(line), 1);
}

async function ask(): Promise<void> {
  asking?.abort();
  const { signal } = (asking = new AbortController());
  if (reading.text.trim() === "") {
    read.value = readProblem.value = null;
    return;
  }
  const { text, language, markup } = reading;
  try {
    const answer = await http.value.read(text, { language, markup, lexicon: lexicon.value }, { signal });
    if (signal.aborted) return;
    read.value = answer;
    readProblem.value = null;
  } catch (error) {
    if (!signal.aborted) readProblem.value = problemOf(error);
  }
}

// The server is asked again when it is back.
watch([() => [reading.text, reading.language, reading.markup], lexicon, capabilities], () => {
  clearTimeout(timer);
  if (capabilities.value !== null) timer = setTimeout(() => void ask(), PAUSE_MS);
});
