/** One connection to the server, for any number of speeches at the same time. */

import { ClientError, ConnectionLost, ServerError } from "./errors.js";
import { decode, decodeAudio, encode } from "./messages.js";
import type { Info, ServerMessage, Start } from "./messages.js";
import { Speech } from "./speech.js";
import type { Text } from "./speech.js";
import { socketUrl } from "./url.js";

const SUBPROTOCOL = "rt.v1.json";
const OPEN = 1; // WebSocket.OPEN

/** What is used of a WebSocket. A browser's has it, and so has that of the package `ws`. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(kind: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(kind: "close", listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(kind: "error", listener: (event: object) => void): void;
}

export type SocketClass = new (url: string, protocols: string[], options?: object) => SocketLike;

export interface ConnectOptions {
  /** The key, if the server wants one. It is sent as `?api_key=`: a browser's WebSocket can send no header. */
  apiKey?: string;
  /**
   * The share of the time (0 to 1) in which this conversation speaks. The server then keeps a place for it: its
   * speeches, one at a time, are not refused with `overloaded`. If there is no place, `connect` is refused with it.
   */
  reserve?: number;
  /** How long to wait for the server's first message. */
  openTimeoutMs?: number;
  /** The class of the socket, where there is no global one: in Node 20 that of the package `ws`. */
  WebSocket?: SocketClass;
  /** Headers of the handshake. Only a class that takes them as `ws` does can send them. */
  headers?: Record<string, string>;
}

/**
 * A session with the server at `url` (http, https, ws or wss; the path may be left out).
 * Rejects with ServerError when the server refuses, with ConnectionLost when there is no server.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Session> {
  const found = options.WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
  if (found === undefined) {
    throw new TypeError("expected a WebSocket class: install the package `ws` and give its default export as `WebSocket`");
  }
  const address = socketUrl(url, { api_key: options.apiKey, reserve: options.reserve });
  const socket = new found(address, [SUBPROTOCOL], ...(options.headers ? [{ headers: options.headers }] : []));
  const session = new Session(socket);
  const timeoutMs = options.openTimeoutMs ?? 10_000;
  const timer = setTimeout(() => session.fail(new ConnectionLost(`${url}: no greeting within ${timeoutMs} ms`)), timeoutMs);
  try {
    await session.greeted;
  } finally {
    clearTimeout(timer);
  }
  return session;
}

/** Made by `connect`. */
export class Session {
  /** Resolves with the server's first message. `connect` waits for it. */
  readonly greeted: Promise<Info>;
  /** Resolves when the connection has ended, with the reason. */
  readonly closed: Promise<ClientError>;
  /** Errors of the server that belong to no speech. */
  readonly errors: ServerError[] = [];
  private greeting: Info | undefined;
  private lost: ClientError | undefined;
  private isStopping = false;
  private names = 0;
  private readonly speeches = new Map<string, Speech>();
  private readonly streams = new Map<number, Speech>();
  private readonly pongs = new Map<string, () => void>();
  private readonly onGreeting: (info: Info) => void;
  private readonly onClosed: (reason: ClientError) => void;

  constructor(private readonly socket: SocketLike) {
    let greet: (info: Info) => void = () => {};
    let close: (reason: ClientError) => void = () => {};
    this.closed = new Promise((resolve) => (close = resolve));
    this.greeted = new Promise((resolve, reject) => {
      greet = resolve;
      void this.closed.then(reject);
    });
    this.greeted.catch(() => {}); // whoever waits for it sees the error
    this.onGreeting = greet;
    this.onClosed = close;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => this.read(event.data));
    socket.addEventListener("close", (event) => this.fail(this.reasonOf(event)));
    socket.addEventListener("error", () => {}); // `close` follows; without a listener `ws` would throw
  }

  /** The server's first message. */
  get info(): Info {
    if (this.greeting === undefined) throw this.lost ?? new ClientError("the server has not greeted yet");
    return this.greeting;
  }

  /** Whether speeches can be started: false when the connection has ended, or the server has said that it stops. */
  get isOpen(): boolean {
    return this.lost === undefined && !this.isStopping;
  }

  /**
   * Speaks a whole text, or text in pieces while they come. Without a text, `Speech.send` sends it. Returns at once.
   * Throws ClientError for a `context` name that is in use.
   */
  speak(text?: Text, start: Start = {}): Speech {
    const context = start.context ?? `c${++this.names}`;
    if (this.speeches.has(context)) throw new ClientError(`context "${context}" is in use on this session`);
    const speech = new Speech(this, context);
    this.speeches.set(context, speech);
    if (this.lost === undefined) speech.begin(start, text);
    else speech.fail(this.lost);
    return speech;
  }

  /** Resolves when the server has answered. */
  async ping(): Promise<void> {
    const id = `p${++this.names}`;
    const pong = new Promise<void>((resolve) => this.pongs.set(id, resolve));
    this.send({ type: "ping", id });
    await Promise.race([pong, this.closed.then((reason) => Promise.reject(reason))]);
  }

  /** @internal Sends one message of the wire. Throws what ended the connection. */
  send(message: Record<string, unknown>): void {
    if (this.lost !== undefined) throw this.lost;
    // Between the end of the socket and its `close` event nothing can be sent. The event tells the reason.
    if (this.socket.readyState === OPEN) this.socket.send(encode(message));
  }

  /** Ends the session. Speeches that are not over fail. */
  close(): void {
    this.fail(new ConnectionLost("the session is closed", 1000));
  }

  /** @internal Ends the session for this reason. */
  fail(reason: ClientError): void {
    if (this.lost !== undefined) return;
    this.lost = reason;
    for (const speech of [...this.speeches.values()]) speech.fail(reason);
    this.onClosed(reason);
    this.socket.close(1000);
  }

  /** @internal Removes a speech that is over. */
  forget(speech: Speech): void {
    if (this.speeches.get(speech.context) === speech) this.speeches.delete(speech.context);
    if (speech.started !== undefined) this.streams.delete(speech.started.stream);
  }

  private read(data: unknown): void {
    if (this.lost !== undefined) return;
    try {
      if (data instanceof ArrayBuffer) {
        const { stream, audio } = decodeAudio(data);
        this.streams.get(stream)?.take(audio);
      } else {
        this.take(decode(String(data)));
      }
    } catch (error) {
      this.fail(new ClientError(`the server sent what this client does not understand: ${String(error)}`));
    }
  }

  private take(message: ServerMessage): void {
    if (message.type === "ready") {
      this.greeting = message;
      this.onGreeting(message);
    } else if (message.type === "pong") {
      this.pongs.get(message.id)?.();
      this.pongs.delete(message.id);
    } else if (message.type !== "audio") {
      if (message.type === "error" && message.code === "shutting_down") this.isStopping = true;
      const speech = this.speeches.get(message.context ?? "");
      if (message.type === "started" && speech !== undefined) this.streams.set(message.stream, speech);
      if (speech !== undefined) speech.take(message);
      else if (message.type === "error") this.takeError(new ServerError(message));
    }
  }

  private takeError(error: ServerError): void {
    this.errors.push(error);
    if (this.greeting === undefined) this.fail(error); // the server refuses the session
  }

  private reasonOf(event: { code: number; reason: string }): ClientError {
    const last = this.errors.at(-1);
    const why = last?.message ?? `closed with ${event.code} ${event.reason}`.trim();
    const what = this.greeting === undefined ? "no connection" : "the connection is lost";
    return new ConnectionLost(`${what}: ${why}`, event.code);
  }
}
