/** Addresses of the server. */

const PATH = "/v1/speech/realtime";
const SOCKET_SCHEMES: Record<string, string> = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" };
const HTTP_SCHEMES: Record<string, string> = { "http:": "http:", "https:": "https:", "ws:": "http:", "wss:": "https:" };

/**
 * `url` with a WebSocket scheme and what the query must say. A path that does not end with the protocol's is a prefix:
 * `https://host/tts` gives `wss://host/tts/v1/speech/realtime`. Throws a TypeError for another scheme.
 */
export function socketUrl(url: string, query: Record<string, string | number | undefined> = {}): string {
  const parts = parsed(url, SOCKET_SCHEMES);
  const path = trimmed(parts.pathname);
  parts.pathname = path.endsWith("/realtime") ? path : path + PATH;
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parts.searchParams.set(name, String(value));
  }
  return parts.href;
}

/** `url` with an HTTP scheme and without a slash, query or the socket's path at its end, so that `/v1/...` can follow. */
export function httpUrl(url: string): string {
  const parts = parsed(url, HTTP_SCHEMES);
  const path = trimmed(parts.pathname);
  return parts.origin + (path.endsWith(PATH) ? path.slice(0, -PATH.length) : path);
}

function parsed(url: string, schemes: Record<string, string>): URL {
  const parts = new URL(url.includes("://") ? url : `ws://${url}`);
  const scheme = schemes[parts.protocol];
  if (scheme === undefined) throw new TypeError(`expected an address like ws://127.0.0.1:8790, found ${url}`);
  // The scheme is replaced in the text: in a URL it cannot be changed from http to ws by assignment.
  return new URL(scheme + parts.href.slice(parts.protocol.length));
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, "");
}
