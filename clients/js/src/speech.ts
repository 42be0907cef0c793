/** One speech: text goes in, sound comes out. */

import { ClientError, ServerError } from "./errors.js";
import type { Audio, Cancelled, Done, Flushed, Mark, SpeechMessage, SpeechWarning, Start, Started } from "./messages.js";

/** A whole text, or pieces of any size while they come. */
export type Text = string | AsyncIterable<string> | Iterable<string>;

/** What a speech needs of its session. */
interface Connection {
  send(message: Record<string, unknown>): void;
  forget(speech: Speech): void;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Made by `Session.speak`. Iterate over it for its sound; a loop that is left early cancels it. */
export class Speech implements AsyncIterable<Audio> {
  /** The server's answer. */
  started: Started | undefined;
  /** How it ended. */
  done: Done | undefined;
  cancelled: Cancelled | undefined;
  error: unknown;
  /** Parts of the request that will not be done. */
  readonly warnings: SpeechWarning[] = [];
  /** The times of the words so far. */
  readonly marks: Mark[] = [];
  /** Resolves when it is over, also after an error. */
  readonly over: Promise<void>;
  private isOver = false;
  private readonly onOver: () => void;
  private readonly sound: Audio[] = [];
  private wake: (() => void) | undefined;
  private readonly flushes = new Map<string, Waiting<Flushed>>();
  private readonly listeners = new Set<(message: SpeechMessage) => void>();

  constructor(
    private readonly session: Connection,
    readonly context: string,
  ) {
    let over: () => void = () => {};
    this.over = new Promise((resolve) => (over = resolve));
    this.onOver = over;
  }

  /** Calls `listener` with each message of the speech as it comes. Returns a function that stops this. */
  listen(listener: (message: SpeechMessage) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // -- text in ------------------------------------------------------------------------------------------------------

  /** Appends text, in pieces of any size. */
  send(text: string): void {
    this.say("text", { text });
  }

  /** Asks the server to speak all text so far to its end. Resolves when its audio has come. */
  flush(id = `f${this.flushes.size + 1}`): Promise<Flushed> {
    if (this.flushes.has(id)) throw new ClientError(`flush "${id}" was said before in this speech`);
    const answer = new Promise<Flushed>((resolve, reject) => this.flushes.set(id, { resolve, reject }));
    answer.catch(() => {}); // whoever waits for it sees the error
    this.say("flush", { id });
    return answer;
  }

  /** Tells the server that no more text comes. */
  end(): void {
    this.say("end");
  }

  /** Reports how much the listener has heard. After the end of the speech it does nothing. */
  played(ms: number): void {
    if (!this.isOver) this.say("played", { ms });
  }

  /**
   * Stops the speech. No audio of it comes afterwards. Undefined when it was already over.
   *
   * fadeMs: for a player that holds at most 0.1 s of sound and does not fade it out itself, as `Player` does. The server
   * sends one last frame, whose sound falls to silence within this time; then nothing that has come is dropped.
   */
  async cancel(fadeMs = 0): Promise<Cancelled | undefined> {
    if (!this.isOver) {
      this.say("cancel", fadeMs > 0 ? { fade_ms: fadeMs } : {});
      await this.over;
      if (fadeMs === 0) this.sound.length = 0; // drops audio that came but was not taken
    }
    return this.cancelled;
  }

  private say(type: string, fields: Record<string, unknown> = {}): void {
    if (this.error !== undefined) throw this.error;
    this.session.send({ type, context: this.context, ...fields });
  }

  /** @internal Sends the start, then the text. Called once, by the session. */
  begin(start: Start, text: Text | undefined): void {
    const whole = typeof text === "string" ? { text, end: true } : {};
    this.session.send({ type: "start", ...start, ...whole, context: this.context });
    if (text !== undefined && typeof text !== "string") void this.feed(text);
  }

  /** An error of the user's iterator ends the speech, and reading the sound throws it. */
  private async feed(text: AsyncIterable<string> | Iterable<string>): Promise<void> {
    try {
      for await (const piece of text) {
        if (this.isOver) return; // leaves the loop, which closes the iterator
        this.send(piece);
      }
      if (!this.isOver) this.end();
    } catch (error) {
      if (this.isOver) return;
      this.session.send({ type: "cancel", context: this.context });
      this.fail(error);
    }
  }

  // -- sound out ----------------------------------------------------------------------------------------------------

  /** The sound. Throws ServerError, ConnectionLost, or the error of the text's iterator. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Audio, void, undefined> {
    try {
      for (;;) {
        const audio = this.sound.shift();
        if (audio !== undefined) yield audio;
        else if (this.isOver) break;
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
      if (this.error !== undefined) throw this.error;
    } finally {
      await this.cancel().catch(() => {});
    }
  }

  /** @internal Takes one message of the server. Called by the session. */
  take(message: SpeechMessage): void {
    if (this.isOver) return;
    switch (message.type) {
      case "started":
        this.started = message;
        break;
      case "warning":
        this.warnings.push(message);
        break;
      case "audio":
        this.sound.push(message);
        this.wake?.();
        break;
      case "mark":
        this.marks.push(message);
        break;
      case "flushed":
        this.flushes.get(message.id)?.resolve(message);
        break;
      case "done":
        this.done = message;
        this.finish();
        break;
      case "cancelled":
        this.cancelled = message;
        this.finish();
        break;
      case "error":
        this.fail(new ServerError(message));
        break;
    }
    for (const listener of this.listeners) listener(message);
  }

  /** @internal The speech is over with an error. */
  fail(error: unknown): void {
    if (this.isOver) return;
    this.error = error;
    this.finish();
  }

  private finish(): void {
    this.isOver = true;
    this.session.forget(this);
    this.wake?.();
    const error = this.error ?? new ClientError("the speech ended before the flush");
    for (const flush of this.flushes.values()) flush.reject(error); // those that were answered ignore it
    this.onOver();
  }
}
