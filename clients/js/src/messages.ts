/** The messages of the native wire (docs/protocol.md). Their fields have the names of the wire. */

/** The server's first message. */
export interface Info {
  type: "ready";
  protocol: number;
  server: string;
  model: string;
  /** In Hz. */
  sample_rate: number;
  /** How many voices there are. */
  voices: number;
  /** The server's limits for one client, by name. */
  limits: Record<string, number>;
}

/** How a word is spoken (docs/lexicon.md). It has one of `say`, `cmu` and `pinyin`. */
export interface LexiconEntry {
  word: string;
  say?: string;
  cmu?: string;
  pinyin?: string;
  /** Only in clauses of this language. */
  language?: string;
  /** Whether capital letters count. */
  case?: boolean;
  /** Only with this voice. */
  voice?: string;
}

export type Format =
  | "pcm_s16le"
  | "pcm_f32le"
  | "ulaw"
  | "alaw"
  | "opus"
  | "wav"
  | "flac"
  | "ogg_opus"
  | "mp3"
  | "aac";

/** What a speech can be asked for, on the socket and over HTTP. Fields that are left out have the server's default. */
export interface Request {
  /** A voice or alias. */
  voice?: string;
  /** `en`, `zh`, another language of the model, or `auto`. */
  language?: string;
  /** One of the model's modes, such as `sft` or `zero_shot`. */
  mode?: string;
  format?: Format;
  /** In Hz. */
  sample_rate?: number;
  /** 0.5 to 2. */
  speed?: number;
  /** The same text, voice and seed give the same speech. */
  seed?: number;
  /** How to speak, for modes that take it. */
  instruct_text?: string;
  /** A recording whose voice is used: the bytes of a wav, flac, mp3, ogg or m4a file. */
  prompt_audio?: Uint8Array;
  /** What `prompt_audio` says. */
  prompt_text?: string;
  /** Mode `vc`: a recording that is said again in the voice. */
  source_audio?: Uint8Array;
  /** Seconds that the speech of a whole text should last. */
  target_s?: number;
  /** `false`: tags and brackets in the text are plain text. */
  markup?: boolean;
  lexicon?: readonly LexiconEntry[];
  /** `batch` waits for all realtime speech. */
  class?: "realtime" | "batch";
}

/** The fields of `start`. */
export interface Start extends Request {
  /** A name for the speech; the session makes one if there is none. */
  context?: string;
  /** Whether `mark` messages come. */
  marks?: boolean;
  /** How many seconds of sound may be sent ahead of the listener. */
  max_lead_s?: number;
}

/** A speech was accepted. */
export interface Started {
  type: "started";
  context: string;
  /** Its name in the server's logs. */
  id: string;
  /** Its number in binary frames. */
  stream: number;
  /** Full name of the voice. */
  voice: string;
  format: Format;
  /** In Hz. */
  sample_rate: number;
  /** Speech can begin after this many text ids. */
  text_ids_before_audio: number;
  /** The same seed gives the same speech again. */
  seed: number;
}

/** A piece of text with the number of characters before it, in all text sent. */
export interface Unspoken {
  text: string;
  offset: number;
}

/** A part of the request will not be done. The text is spoken all the same. */
export interface SpeechWarning {
  type: "warning";
  context: string;
  code: string;
  message: string;
  /** With the codes `unspoken` and `markup`: what is left out, or the tag that is not obeyed. */
  unspoken?: Unspoken[];
}

/** A piece of sound, in the format of `started`. */
export interface Audio {
  type: "audio";
  /** Counts from 0. */
  seq: number;
  /** The place of the first sample in the speech. */
  start_ms: number;
  data: Uint8Array;
}

/** When a word is heard. */
export interface Mark {
  type: "mark";
  context: string;
  /** The word. */
  text: string;
  /** Characters before it, in all text sent. */
  offset: number;
  start_ms: number;
  end_ms: number;
  /** Whether the times are estimates. */
  estimated: boolean;
}

/** All audio of the text before a flush has come. */
export interface Flushed {
  type: "flushed";
  context: string;
  /** The id of the flush. */
  id: string;
  /** Audio of the speech so far. */
  audio_ms: number;
}

/** A speech is complete. */
export interface Done {
  type: "done";
  context: string;
  /** Length of all its audio. */
  audio_ms: number;
  /** Counts by name. */
  usage: Record<string, number>;
  /** Milliseconds by name. */
  timings: Record<string, number>;
  /** For how long playback stood still because text was missing. */
  text_starved_ms: number;
  /** With `target_s`: the speed that was chosen. */
  speed?: number;
  /** If memory was short: how much of its own earlier sound the model saw. */
  window_ms?: number;
}

/** The end of a cancelled speech. */
export interface Cancelled {
  type: "cancelled";
  context: string;
  /** Audio that was sent. */
  sent_ms: number;
  /** Audio that the listener had heard. */
  heard_ms: number;
  /** reported: by `played`. estimated: from the time since the audio was sent. */
  heard_from: "reported" | "estimated";
  /** The text whose audio was sent. */
  text_sent: string;
  /** The text that the listener had heard. */
  text_heard: string;
}

/** An `error` of the wire. */
export interface WireError {
  type: "error";
  context?: string;
  code: string;
  message: string;
  retryable: boolean;
  retry_after_ms?: number | null;
  id?: string;
}

export interface Pong {
  type: "pong";
  id: string;
}

/** What belongs to one speech. */
export type SpeechMessage = Started | SpeechWarning | Audio | Mark | Flushed | Done | Cancelled | WireError;
export type ServerMessage = Info | SpeechMessage | Pong;

const AUDIO_HEADER_BYTES = 12;

/** A message as JSON. Fields that are undefined are left out; bytes are base64. */
export function encode(message: Record<string, unknown>): string {
  return JSON.stringify(message, (_key, value: unknown) => (value instanceof Uint8Array ? base64(value) : value));
}

/** The bytes in base64, in a browser and in Node. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  const step = 0x8000; // more arguments than this are too many for a call
  for (let at = 0; at < bytes.length; at += step) text += String.fromCharCode(...bytes.subarray(at, at + step));
  return btoa(text);
}

/** A message with its type. Throws an Error for anything else. */
export function decode(text: string): ServerMessage {
  const message = JSON.parse(text) as ServerMessage | null;
  if (typeof message !== "object" || typeof message?.type !== "string") {
    throw new Error(`expected a message with a type, found ${text.slice(0, 80)}`);
  }
  return message;
}

/** A binary frame: the number of its stream, and the sound. Throws an Error if it is too short. */
export function decodeAudio(frame: ArrayBuffer): { stream: number; audio: Audio } {
  if (frame.byteLength < AUDIO_HEADER_BYTES) {
    throw new Error(`expected an audio frame, found ${frame.byteLength} bytes`);
  }
  const header = new DataView(frame);
  const audio: Audio = {
    type: "audio",
    seq: header.getUint32(4, true),
    start_ms: header.getUint32(8, true),
    data: new Uint8Array(frame, AUDIO_HEADER_BYTES),
  };
  return { stream: header.getUint32(0, true), audio };
}
