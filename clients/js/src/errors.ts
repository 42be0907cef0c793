/** The errors of this client. */

/** The base of all errors of this client. */
export class ClientError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** The server refused a request or could not finish it. */
export class ServerError extends ClientError {
  /** An error code of the wire (docs/protocol.md). */
  readonly code: string;
  /** The server's words, without the code. */
  readonly reason: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** When to try again. */
  readonly retryAfterMs: number | undefined;
  /** The name of the utterance or incident in the server's logs. */
  readonly id: string | undefined;

  constructor(told: ErrorFields) {
    super(`${told.code}: ${told.message}`);
    this.code = told.code;
    this.reason = told.message;
    this.retryable = told.retryable ?? false;
    this.retryAfterMs = told.retry_after_ms ?? undefined;
    this.id = told.id ?? undefined;
  }

  /** What a person can do about it, in one sentence. */
  get advice(): string {
    return ADVICE[this.code] ?? (this.retryable ? "Try again." : "Read the message, and change the request.");
  }
}

/** There is no connection to the server, or it has ended. A new one may succeed. */
export class ConnectionLost extends ClientError {
  /** The close code of the WebSocket, if there is one. */
  readonly closeCode: number | undefined;

  constructor(message: string, closeCode?: number) {
    super(message);
    this.closeCode = closeCode;
  }

  /** What a person can do about it, in one sentence. */
  get advice(): string {
    return "Check the address and that the server runs, then connect again.";
  }
}

/** An error as the server words it, on the socket and over HTTP. */
export interface ErrorFields {
  code: string;
  message: string;
  retryable?: boolean;
  retry_after_ms?: number | null;
  id?: string | null;
}

const ADVICE: Record<string, string> = {
  unauthorized: "Give a key that the server knows.",
  forbidden: "Ask the operator to allow this page's origin (allowed_origins) or this host name (allowed_hosts).",
  unknown_voice: "Choose a voice of the list that GET /v1/voices gives.",
  unknown_mode: "Choose a mode that GET /v1/capabilities names.",
  unsupported_format: "Choose a format and a sample rate that GET /v1/capabilities names.",
  bad_audio: "Give a recording in wav, flac, mp3, ogg or m4a that is long enough and has a voice in it.",
  text_too_long: "Send the text in parts, each in a speech of its own.",
  message_too_big: "Send smaller messages, and large recordings over HTTP.",
  too_many_contexts: "Wait until another speech of this session is over.",
  context_exists: "Choose another context name, or wait until the speech of this name is over.",
  overloaded: "Wait as long as retryAfterMs says, then try again.",
  rate_limited: "Send fewer messages a second, then connect again.",
  slow_reader: "Read the sound faster, then connect again.",
  idle_timeout: "Send text sooner after the start, then try again.",
  engine_lost: "Try again. If it happens again with the same text, change the text.",
  shutting_down: "Connect again in a few seconds: the server restarts.",
  internal: "Try again. If it happens again, give the id to the operator.",
};
