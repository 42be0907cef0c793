/** Errors in words, with what to do. */

import { ClientError, ConnectionLost, ServerError } from "rtclient";
import { text } from "../i18n";

export interface Problem {
  /** What went wrong, for people. */
  title: string;
  /** What to do about it. */
  advice: string;
  /** The server's own words, and the name under which its log has more. */
  detail: string;
}

export function problemOf(error: unknown): Problem {
  const { problems } = text.value;
  if (error instanceof ServerError) {
    const known = problems.codes[error.code as keyof typeof problems.codes];
    const id = error.id === undefined ? "" : ` (${error.id})`;
    const waitS = error.retryAfterMs === undefined ? null : Math.max(1, Math.ceil(error.retryAfterMs / 1000));
    return {
      title: known?.title ?? problems.refused,
      advice: waitS === null ? (known?.advice ?? problems.change) : problems.retryIn(waitS),
      detail: `${error.message}${id}`,
    };
  }
  if (error instanceof ConnectionLost) return { ...problems.lost, detail: error.message };
  if (error instanceof DOMException && error.name === "NotAllowedError") return { ...problems.microphone, detail: "" };
  if (error instanceof DOMException && error.name === "NotFoundError") return { ...problems.noMicrophone, detail: "" };
  const detail = error instanceof ClientError || error instanceof Error ? error.message : String(error);
  return { title: problems.unexpected, advice: problems.reload, detail };
}
