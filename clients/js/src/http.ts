/** Whole requests over HTTP (docs/http.md). */

import { ConnectionLost, ServerError } from "./errors.js";
import type { ErrorFields } from "./errors.js";
import { encode } from "./messages.js";
import type { Format, LexiconEntry, Mark, Request, Unspoken } from "./messages.js";
import { httpUrl } from "./url.js";

export interface HttpOptions {
  /** The key, if the server wants one. */
  apiKey?: string;
  /** More headers of each request. */
  headers?: Record<string, string>;
}

/** Options of one call. */
export interface Call {
  /** Ends the request, and with it the work of the server. */
  signal?: AbortSignal;
}

/** A voice of the server. */
export interface Voice {
  voice_id: string;
  name: string;
  aliases: string[];
  language: string | null;
  gender: string | null;
}

/** A sound format. `sample_rates`: null for every rate from `min_sample_rate` to `max_sample_rate`. */
export interface FormatEntry {
  name: Format;
  media_type: string;
  sample_rates: number[] | null;
  min_sample_rate: number;
  max_sample_rate: number;
}

/** What the server can do. */
export interface Capabilities {
  server: string;
  protocol: number;
  model: string;
  sample_rate: number;
  languages: string[];
  modes: string[];
  /** Whether a recording can be a voice. */
  clones: boolean;
  /** The instructions that a model with a fixed set of them knows. */
  styles: string[];
  speed: { min: number; max: number };
  voices: Omit<Voice, "voice_id">[];
  default_voice: string;
  formats: FormatEntry[];
  /** Tags that are obeyed. */
  markup: string[];
  limits: Record<string, number>;
}

/** A whole file with what is known of it. */
export interface SpokenFile {
  audio: Uint8Array;
  format: Format;
  media_type: string;
  sample_rate: number;
  voice: string;
  seed: number;
  words: (Pick<Mark, "offset" | "start_ms" | "end_ms" | "estimated"> & { word: string })[];
  performance: { audio_s: number; wall_s: number; timings_ms: Record<string, number>; speed: number | null };
  warnings: { code: string; message: string; unspoken?: Unspoken[] }[];
}

/** A clause or a silence of a text. */
export interface Clause {
  /** Characters of the text before it, and before its end. */
  offset: number;
  end: number;
  text: string;
  language: string;
  /** What is said: words, or phonemes for a model that gets phonemes. */
  spoken: string;
  /** The text ids that the model gets. */
  ids: number[];
  ends_sentence: boolean;
  /** The length of a silence, in whose place nothing is spoken. */
  silence_ms: number;
  /** How fast it is spoken, as a factor. */
  rate: number;
}

/** How a text is read. */
export interface ReadText {
  model: string;
  clauses: Clause[];
  /** What is left out. */
  unspoken: Unspoken[];
  /** Tags that are not obeyed as they are written. */
  warnings: (Unspoken & { message: string })[];
}

/** What to read. */
export interface ReadRequest {
  language?: string;
  markup?: boolean;
  voice?: string;
  lexicon?: readonly LexiconEntry[];
}

/** The server's HTTP endpoints. Each call rejects with ServerError or ConnectionLost. */
export class Http {
  private readonly base: string;
  private readonly headers: Record<string, string>;

  /** `url`: as for `connect`. */
  constructor(url: string, options: HttpOptions = {}) {
    this.base = httpUrl(url);
    const key: Record<string, string> = options.apiKey === undefined ? {} : { Authorization: `Bearer ${options.apiKey}` };
    this.headers = { ...key, ...options.headers };
  }

  /** Speaks a text. Resolves when the first sound has come. */
  async speak(text: string, request: Request = {}, call: Call = {}): Promise<HttpSound> {
    return new HttpSound(await this.post("/v1/tts/stream", spoken(text, request), call));
  }

  /** Speaks a text into a whole file, with the times of its words. */
  async speakFile(text: string, request: Request = {}, call: Call = {}): Promise<SpokenFile> {
    const answer = await this.post("/v1/tts", spoken(text, request), call);
    const file = (await answer.json()) as Omit<SpokenFile, "audio"> & { audio: string };
    return { ...file, audio: Uint8Array.from(atob(file.audio), (character) => character.charCodeAt(0)) };
  }

  /** How a text would be read. Nothing is spoken. */
  async read(text: string, request: ReadRequest = {}, call: Call = {}): Promise<ReadText> {
    const answer = await this.post("/v1/read", { ...request, text }, call);
    return (await answer.json()) as ReadText;
  }

  async voices(call: Call = {}): Promise<{ voices: Voice[]; total: number; default_voice_id: string }> {
    const answer = await this.fetch("/v1/voices", call);
    return (await answer.json()) as { voices: Voice[]; total: number; default_voice_id: string };
  }

  async capabilities(call: Call = {}): Promise<Capabilities> {
    const answer = await this.fetch("/v1/capabilities", call);
    return (await answer.json()) as Capabilities;
  }

  private post(path: string, body: Record<string, unknown>, call: Call): Promise<Response> {
    const headers = { "Content-Type": "application/json" };
    return this.fetch(path, { ...call, method: "POST", headers, body: encode(body) });
  }

  private async fetch(path: string, request: RequestInit & { headers?: Record<string, string> }): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(this.base + path, { ...request, headers: { ...this.headers, ...request.headers } });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw new ConnectionLost(`${this.base}: no connection: ${String(error)}`);
    }
    if (!answer.ok) throw await refusal(answer);
    return answer;
  }
}

/** The sound of one request, while it is made. Iterate over it for its bytes; a loop that is left early ends the work. */
export class HttpSound implements AsyncIterable<Uint8Array> {
  /** In Hz. */
  readonly sampleRate: number;
  readonly seed: number;
  /** The name of the utterance in the server's logs. */
  readonly id: string;
  /** Such as `audio/mpeg`. */
  readonly mediaType: string;
  /** Parts of the request that will not be done, in words. */
  readonly warning: string | undefined;

  constructor(private readonly answer: Response) {
    const header = (name: string) => answer.headers.get(name) ?? "";
    this.sampleRate = Number(header("X-Sample-Rate"));
    this.seed = Number(header("X-Seed"));
    this.id = header("X-Utterance-Id");
    this.mediaType = header("Content-Type");
    this.warning = answer.headers.get("X-Warning") ?? undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = this.answer.body?.getReader();
    if (reader === undefined) return;
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
    } catch (error) {
      throw new ConnectionLost(`the sound broke off: ${String(error)}`);
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  /** All of it. */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this) pieces.push(piece);
    const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

/** The body of a request that speaks. */
function spoken(text: string, { voice, ...request }: Request): Record<string, unknown> {
  return { ...request, speaker: voice, text };
}

async function refusal(answer: Response): Promise<ServerError | ConnectionLost> {
  const retryAfterMs = Number(answer.headers.get("Retry-After")) * 1000 || undefined;
  try {
    const { error } = (await answer.json()) as { error: ErrorFields };
    return new ServerError({ ...error, retry_after_ms: error.retry_after_ms ?? retryAfterMs });
  } catch {
    return new ConnectionLost(`expected an answer of the speech server, found HTTP ${answer.status}`);
  }
}
