/** The server that this page came from: its address, the key for it, how it is, and what it can do. */

import { ClientError, ConnectionLost, Http, ServerError } from "rtclient";
import type { Capabilities } from "rtclient";
import { computed, ref, shallowRef, watch } from "vue";
import { keep, stored } from "./stored";

const KEY = "rtserver.key";
const HEALTH_EVERY_MS = 5000;
const HEALTH_EVERY_MS_AWAY = 1500;

export interface Health {
  status: "starting" | "ok" | "recovering" | "draining";
  ready: boolean;
  gpu: boolean;
  model: string;
  server: string;
  connections: number;
  contexts: number;
  loop_lag_ms: number;
  device: string | null;
  voices: number | null;
  utterances: number | null;
}

/** Its address, with the path prefix of a proxy and without the page's name. */
export const address = new URL(".", location.href).href.replace(/\/$/, "");

/** The key, which is forgotten when the tab is closed. */
export const key = ref(stored("session", KEY) ?? "");

export const http = computed(() => new Http(address, key.value === "" ? {} : { apiKey: key.value }));

/** Null until it has answered, and while it cannot be reached. */
export const health = shallowRef<Health | null>(null);
export const isReachable = ref<boolean | null>(null);
export const capabilities = shallowRef<Capabilities | null>(null);
/** Why the capabilities are not known. */
export const problem = shallowRef<ClientError | null>(null);
/** Whether the server refuses without a key, or with this one. */
export const wantsKey = ref(false);

/** Resolves when the server has said whether it takes the key: see `wantsKey`. */
export async function setKey(given: string): Promise<void> {
  key.value = given.trim();
  keep("session", KEY, key.value === "" ? null : key.value);
  await askCapabilities();
}

/** Asks for one of the paths that no client library knows. Rejects with ServerError or ConnectionLost. */
export async function get(path: string): Promise<Response> {
  const headers: Record<string, string> = key.value === "" ? {} : { Authorization: `Bearer ${key.value}` };
  let answer: Response;
  try {
    answer = await fetch(`${address}/${path}`, { headers });
  } catch (error) {
    throw new ConnectionLost(String(error));
  }
  if (answer.ok) return answer;
  const told = (await answer.json().catch(() => null)) as { error?: { code: string; message: string } } | null;
  throw told?.error ? new ServerError(told.error) : new ConnectionLost(`HTTP ${answer.status}`);
}

async function askHealth(): Promise<void> {
  try {
    const answer = await fetch(`${address}/v1/health`);
    health.value = (await answer.json()) as Health;
    isReachable.value = true;
  } catch {
    health.value = null;
    isReachable.value = false;
  }
}

async function askCapabilities(): Promise<void> {
  try {
    capabilities.value = await http.value.capabilities();
    problem.value = null;
    wantsKey.value = false;
  } catch (error) {
    problem.value = error instanceof ClientError ? error : new ClientError(String(error));
    wantsKey.value = error instanceof ServerError && error.code === "unauthorized";
  }
}

async function poll(): Promise<void> {
  if (!document.hidden || health.value === null) await askHealth();
  const isAway = health.value?.ready !== true;
  setTimeout(() => void poll(), isAway ? HEALTH_EVERY_MS_AWAY : HEALTH_EVERY_MS);
}

/** Begins to watch the server. Called once. */
export function watchServer(): void {
  watch(
    () => health.value?.ready === true,
    (isReady) => isReady && void askCapabilities(),
  );
  void poll();
}
