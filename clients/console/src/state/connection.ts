/** The WebSocket of this page. It is opened when it is first needed, and comes back by itself. */

import { ClientError, Reconnecting } from "rtclient";
import type { ConnectionState, Session } from "rtclient";
import { ref, shallowRef, watch } from "vue";
import { address, key } from "./server";

let connection: Reconnecting | undefined;

/** Null before it is first needed. */
export const connectionState = ref<ConnectionState | null>(null);
/** Why it was lost, or cannot be opened. */
export const connectionLost = shallowRef<ClientError | null>(null);

/** Resolves with an open session as soon as there is one. Rejects when the server refuses for good. */
export function session(): Promise<Session> {
  if (connectionState.value === "closed") close();
  if (connection === undefined) {
    const made = new Reconnecting(address, {
      ...(key.value === "" ? {} : { apiKey: key.value }),
      onChange: (state, reason) => {
        if (connection !== undefined && connection !== made) return;
        connectionState.value = state;
        connectionLost.value = state === "open" ? null : (reason ?? null);
      },
    });
    connection = made;
  }
  return connection.session();
}

/** It is opened again, with the key of that time, when it is needed. */
function close(): void {
  const old = connection;
  connection = undefined;
  connectionState.value = null;
  old?.close();
}

watch(key, close);
