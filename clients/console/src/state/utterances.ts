/** Who is speaking now. It is asked only while somebody looks, and only with a key that may know. */

import { ServerError } from "rtclient";
import { shallowRef, watch } from "vue";
import { repeating } from "../lib/repeating";
import { get, key } from "./server";

const EVERY_MS = 2000;

export interface OpenUtterance {
  id: string;
  caller: string;
  address: string;
  voice: string;
  class: "realtime" | "batch";
  open_s: number;
  sent_s: number;
  heard_s: number;
}

export interface OpenUtterances {
  /** All, while the list may have the oldest only. */
  count: number;
  utterances: OpenUtterance[];
}

/** Null where the key may not know. */
export const speakers = shallowRef<OpenUtterances | null>(null);

let isDenied = false;

/** Asks who speaks while somebody looks. */
export const asksWhoSpeaks = repeating(EVERY_MS, async () => {
  if (isDenied) return false;
  try {
    speakers.value = (await (await get("v1/utterances")).json()) as OpenUtterances;
  } catch (error) {
    // A refused key is logged and slows its address down.
    isDenied = error instanceof ServerError && error.code === "unauthorized";
    if (isDenied) speakers.value = null;
  }
  return !isDenied;
});

watch(key, () => (isDenied = false));
