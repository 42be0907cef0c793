/** A connection that comes back by itself. */

import { ClientError, ConnectionLost, ServerError } from "./errors.js";
import { connect } from "./session.js";
import type { ConnectOptions, Session } from "./session.js";

export type ConnectionState = "connecting" | "open" | "closed";

export interface ReconnectingOptions extends ConnectOptions {
  /** Is told of each change, with the error that caused it. */
  onChange?: (state: ConnectionState, reason?: ClientError) => void;
  /** How long to wait before the second try; each further one waits twice as long. */
  firstDelayMs?: number;
  longestDelayMs?: number;
  /** How often the server is asked whether it is there. A lost network shows only by this. */
  pingMs?: number;
}

/**
 * Connects, and connects again whenever the connection is lost. Speeches of a lost connection fail with ConnectionLost;
 * the program decides whether it says them again. It gives up when the server refuses for good, as with a wrong key.
 */
export class Reconnecting {
  private current: Session | undefined;
  private ended: ClientError | undefined;
  private waiting: { resolve(session: Session): void; reject(reason: ClientError): void }[] = [];
  private stopWaiting: (() => void) | undefined;

  constructor(
    private readonly url: string,
    private readonly options: ReconnectingOptions = {},
  ) {
    void this.run();
  }

  /** Resolves with an open session, as soon as there is one. Rejects when it was closed or has given up. */
  session(): Promise<Session> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    if (this.current?.isOpen) return Promise.resolve(this.current);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  close(): void {
    this.end(new ConnectionLost("the connection is closed", 1000));
  }

  private async run(): Promise<void> {
    const { firstDelayMs = 200, longestDelayMs = 5000 } = this.options;
    let delayMs = firstDelayMs;
    let reason: ClientError | undefined;
    while (this.ended === undefined) {
      this.options.onChange?.("connecting", reason);
      try {
        const session = await connect(this.url, this.options);
        if (this.open(session)) delayMs = firstDelayMs;
        reason = await this.lost(session);
      } catch (error) {
        reason = error instanceof ClientError ? error : new ClientError(String(error));
        if (!(error instanceof ConnectionLost || (error instanceof ServerError && error.retryable))) this.end(reason);
      }
      const wantedMs = reason instanceof ServerError ? reason.retryAfterMs : undefined;
      // Clients of a server that restarts should not all come back in the same moment.
      await this.sleep(wantedMs ?? delayMs * (0.5 + Math.random() / 2));
      delayMs = Math.min(longestDelayMs, 2 * delayMs);
    }
  }

  /** Whether the session is wanted. */
  private open(session: Session): boolean {
    if (this.ended !== undefined) {
      session.close();
      return false;
    }
    this.current = session;
    this.options.onChange?.("open");
    for (const { resolve } of this.waiting.splice(0)) resolve(session);
    return true;
  }

  /** Waits for the end of the session. */
  private async lost(session: Session): Promise<ClientError> {
    const everyMs = this.options.pingMs ?? 15_000;
    let isAnswered = true;
    const timer = setInterval(() => {
      if (!isAnswered) return session.fail(new ConnectionLost(`no answer from the server for ${everyMs} ms`));
      isAnswered = false;
      session.ping().then(
        () => (isAnswered = true),
        () => {},
      );
    }, everyMs);
    const reason = await session.closed;
    clearInterval(timer);
    return reason;
  }

  private end(reason: ClientError): void {
    if (this.ended !== undefined) return;
    this.ended = reason;
    this.stopWaiting?.();
    this.current?.close();
    for (const { reject } of this.waiting.splice(0)) reject(reason);
    this.options.onChange?.("closed", reason);
  }

  private async sleep(ms: number): Promise<void> {
    if (this.ended !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
