/** Plays sound in a browser while it comes, without gaps, and stops it without a click. */

import { ClientError } from "./errors.js";
import type { Format } from "./messages.js";
import type { Speech } from "./speech.js";
import { PROCESSOR } from "./worklet.js";
import type { Order, Position } from "./worklet.js";

export interface PlayerOptions {
  /**
   * Where `worklet.js` of this package is served. A bundler makes the address: Vite by
   * `import workletUrl from "rtclient/worklet.js?worker&url"`, others by `new URL("rtclient/worklet.js", import.meta.url)`.
   */
  workletUrl: string | URL;
  /** In Hz, of the sound. The browser changes it to what the device needs. */
  sampleRate?: number;
  /** How much sound must wait before a take begins to play. */
  leadS?: number;
  /** Where the sound goes; the loudspeaker, if it is left out. It may be of an OfflineAudioContext. */
  context?: BaseAudioContext;
}

/** Takes are played one after the other. */
export class Player {
  private readonly playbacks = new Map<number, Playback>();
  private count = 0;

  private constructor(
    readonly context: BaseAudioContext,
    /** What the sound comes out of. Connect it to an analyser, for example. */
    readonly node: AudioWorkletNode,
  ) {
    node.port.onmessage = (event: MessageEvent<Position>) => this.take(event.data);
  }

  /** Call it in the handler of a click or a key: browsers let pages make sound only after one. */
  static async open(options: PlayerOptions): Promise<Player> {
    const rate = options.sampleRate ?? 24_000;
    const context = options.context ?? new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    await context.audioWorklet.addModule(options.workletUrl);
    const processorOptions = { leadS: options.leadS ?? 0.06 };
    const node = new AudioWorkletNode(context, PROCESSOR, {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions,
    });
    node.connect(context.destination);
    const player = new Player(context, node);
    if (options.context === undefined) await player.resume();
    return player;
  }

  /** Lets sound be heard, after the browser or `suspend` stopped it. */
  async resume(): Promise<void> {
    if (this.context instanceof AudioContext && this.context.state !== "running") await this.context.resume();
  }

  /**
   * Plays a speech and reports to the server how much of it was heard. When the playback is stopped the speech is
   * cancelled; when the speech is cancelled the playback stops.
   */
  play(speech: Speech): Playback {
    const playback = this.start();
    void feed(playback, speech, this.context.sampleRate);
    return playback;
  }

  /** A playback whose sound you write yourself. It begins when those before it are over. */
  start(): Playback {
    const playback = new Playback(++this.count, this.context, (order, transfer) =>
      this.node.port.postMessage(order, transfer ?? []),
    );
    this.playbacks.set(playback.number, playback);
    return playback;
  }

  /** Stops everything: fades out within 10 ms and drops what waits. */
  async stop(): Promise<void> {
    await Promise.all([...this.playbacks.values()].map((playback) => playback.stop()));
  }

  async close(): Promise<void> {
    await this.stop();
    this.node.disconnect();
    if (this.context instanceof AudioContext) await this.context.close();
  }

  private take(position: Position): void {
    this.playbacks.get(position.take)?.take(position);
    if (position.type !== "position") this.playbacks.delete(position.take);
  }
}

/** One take in the player. */
export class Playback {
  /** Is called about 20 times a second while it plays. */
  onPosition: ((heardMs: number) => void) | undefined;
  /** Resolves when it was heard to its end, or was stopped. */
  readonly finished: Promise<void>;
  /** How often it ran dry. */
  underruns = 0;
  /** What ended the sound early: the error of the speech, or that its sound cannot be played. */
  error: unknown;
  private position: Position | undefined;
  private isWritten = false; // whether the worklet knows of it
  private isStopping = false;
  private isOver = false;
  private readonly onFinished: () => void;

  /** @internal */
  constructor(
    readonly number: number,
    private readonly context: BaseAudioContext,
    private readonly order: (order: Order, transfer?: Transferable[]) => void,
  ) {
    let finish: () => void = () => {};
    this.finished = new Promise((resolve) => (finish = resolve));
    this.onFinished = finish;
  }

  get isStopped(): boolean {
    return this.isStopping;
  }

  /** How much of it was heard: what was given to the device, less what the device still holds. */
  get heardMs(): number {
    if (this.position === undefined) return 0;
    const { played, waiting, at_s } = this.position;
    if (this.isOver) return (played / this.context.sampleRate) * 1000;
    const sinceS = Math.max(0, Math.min(this.context.currentTime - at_s, waiting / this.context.sampleRate));
    return Math.max(0, played / this.context.sampleRate + sinceS - latencyS(this.context)) * 1000;
  }

  /** How much sound waits to be played. */
  get waitingMs(): number {
    return ((this.position?.waiting ?? 0) / this.context.sampleRate) * 1000;
  }

  /** Appends sound. The array is taken over: it is empty afterwards. */
  write(samples: Float32Array<ArrayBuffer>): void {
    if (this.isStopping) return;
    this.isWritten = true;
    this.order({ type: "sound", take: this.number, samples }, [samples.buffer]);
  }

  /** No more sound comes. */
  end(): void {
    if (this.isStopping) return;
    this.isWritten = true;
    this.order({ type: "end", take: this.number });
  }

  /** Fades out within 10 ms and drops what waits. Resolves with how much was heard. */
  async stop(): Promise<number> {
    if (!this.isStopping && !this.isOver) {
      this.isStopping = true;
      this.order({ type: "stop", take: this.number });
      // A context that does not run gives no answer, and plays nothing.
      if (!this.isWritten || this.context.state !== "running") this.finish();
    }
    await this.finished;
    return this.heardMs;
  }

  /** @internal */
  take(position: Position): void {
    this.position = position;
    this.underruns = position.underruns;
    this.onPosition?.(this.heardMs);
    if (position.type === "stopped") this.finish();
    if (position.type === "ended") setTimeout(() => this.finish(), latencyS(this.context) * 1000);
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.onPosition?.(this.heardMs);
    this.onFinished();
  }
}

/** Samples from -1 to 1 of sound as the server sends it. Throws ClientError for formats that are not PCM. */
export function samplesOf(data: Uint8Array, format: Format): Float32Array<ArrayBuffer> {
  const bytes = data.slice().buffer; // begins at a multiple of 4, as the arrays need it
  if (format === "pcm_f32le") return new Float32Array(bytes);
  if (format !== "pcm_s16le") throw new ClientError(`expected pcm_s16le or pcm_f32le to play, found ${format}`);
  return Float32Array.from(new Int16Array(bytes), (sample) => sample / 32768);
}

/** Writes a speech into its playback, and tells the server how much of it was heard. */
async function feed(playback: Playback, speech: Speech, rate: number): Promise<void> {
  const report = () => speech.played(Math.floor(playback.heardMs));
  const timer = setInterval(report, 100);
  void playback.finished.then(async () => {
    clearInterval(timer);
    if (playback.isStopped) await interrupt(playback, speech);
  });
  try {
    for await (const audio of speech) {
      const { format, sample_rate } = speech.started ?? { format: "pcm_s16le" as const, sample_rate: rate };
      if (sample_rate !== rate) throw new ClientError(`expected sound of ${rate} Hz to play, found ${sample_rate} Hz`);
      playback.write(samplesOf(audio.data, format));
    }
    if (speech.cancelled !== undefined) await playback.stop();
    else playback.end();
  } catch (error) {
    playback.error = error;
    playback.end(); // what came is heard to its end
  }
}

/** Tells the server what was heard, and cancels the speech. */
async function interrupt(playback: Playback, speech: Speech): Promise<void> {
  speech.played(Math.floor(playback.heardMs));
  await speech.cancel();
}

function latencyS(context: BaseAudioContext): number {
  const { baseLatency = 0, outputLatency = 0 } = context as Partial<AudioContext>;
  return baseLatency + outputLatency;
}
