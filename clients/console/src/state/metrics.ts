/** How the server was in the last minutes. It is asked only while somebody looks. */

import { ServerError } from "rtclient";
import { computed, ref, shallowRef } from "vue";
import { Snapshot, figuresOf, growth, quantile } from "../lib/prometheus";
import { repeating } from "../lib/repeating";
import { problemOf } from "./problems";
import type { Problem } from "./problems";
import { capabilities, get } from "./server";

const EVERY_MS = 2000;
const MOST_SNAPSHOTS = 300;
/** Over so many snapshots shares and quantiles are taken. */
const WINDOW = 30;

const snapshots = shallowRef<readonly Snapshot[]>([]);

export const metricsProblem = shallowRef<Problem | null>(null);
/** Whether the key may speak, but not see the metrics. */
export const isMetricsDenied = ref(false);
export const latest = computed(() => snapshots.value.at(-1) ?? null);

export interface Moment {
  /** Seconds before the last moment, negative. */
  atS: number;
  firstAudioMedianS: number | null;
  firstAudioP95S: number | null;
  /** Of the utterances that ended in the window, the share whose listener heard no gap. */
  cleanShare: number | null;
  speaking: number | null;
  placesTaken: number | null;
  /** Seconds of sound made in a second. */
  madeAudio: number | null;
}

export const moments = computed<readonly Moment[]>(() => {
  const all = snapshots.value;
  const lastS = all.at(-1)?.atS ?? 0;
  return all.map((after, number) => {
    const before = all[Math.max(0, number - WINDOW)] as Snapshot;
    const previous = all[Math.max(0, number - 1)] as Snapshot;
    const realtime = { class: "realtime" };
    const done = growth(before, after, "rt_utterances_total", { ...realtime, outcome: "done" });
    const sinceS = after.atS - previous.atS;
    return {
      atS: after.atS - lastS,
      firstAudioMedianS: quantile(before, after, "rt_ttfa_seconds", realtime, 0.5),
      firstAudioP95S: quantile(before, after, "rt_ttfa_seconds", realtime, 0.95),
      cleanShare: done === 0 ? null : Math.max(0, 1 - growth(before, after, "rt_underruns_total") / done),
      speaking: after.sum("rt_utterances_live"),
      placesTaken: after.sum("rt_places_taken"),
      madeAudio: sinceS === 0 ? null : growth(previous, after, "rt_made_audio_seconds_total") / sinceS,
    };
  });
});

/** Asks for the figures while somebody looks. */
export const watchesMetrics = repeating(EVERY_MS, async () => {
  try {
    const snapshot = new Snapshot(performance.now() / 1000, figuresOf(await (await get("metrics")).text()));
    snapshots.value = [...snapshots.value, snapshot].slice(-MOST_SNAPSHOTS);
    metricsProblem.value = null;
    isMetricsDenied.value = false;
  } catch (error) {
    isMetricsDenied.value = error instanceof ServerError && error.code === "unauthorized" && capabilities.value !== null;
    metricsProblem.value = isMetricsDenied.value ? null : problemOf(error);
  }
  return !isMetricsDenied.value; // a refused key is logged and slows its address down
});
