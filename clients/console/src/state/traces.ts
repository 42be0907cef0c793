/** What each process of the server did for an utterance (docs/operations.md). */

import { ServerError } from "rtclient";
import { ref, watch } from "vue";
import { get, key } from "./server";

export interface TraceSpan {
  part: string;
  stage: string;
  queued_s: number;
  start_s: number;
  end_s: number;
}

export interface TraceGap {
  start_s: number;
  gap_ms: number;
  stage: string | null;
}

export interface Trace {
  utterance: string;
  spans: TraceSpan[];
  gaps: TraceGap[];
  silent_parts: string[];
}

/** Whether the key may not see traces. */
export const isTraceDenied = ref(false);

/** Null where the server does not tell. */
export async function traceOf(utterance: string): Promise<Trace | null> {
  if (isTraceDenied.value) return null;
  try {
    return (await (await get(`v1/trace/${utterance}`)).json()) as Trace;
  } catch (error) {
    isTraceDenied.value = error instanceof ServerError && (error.code === "unauthorized" || error.code === "forbidden");
    return null;
  }
}

watch(key, () => (isTraceDenied.value = false));
