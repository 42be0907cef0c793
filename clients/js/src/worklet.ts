/**
 * The part of the player that runs on the audio thread. It imports nothing, so that it can be served as one file, also
 * under a strict Content-Security-Policy.
 */

declare const sampleRate: number;
declare const currentTime: number;
declare const registerProcessor: ((name: string, processor: unknown) => void) | undefined;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: unknown);
}

/** What the page tells the worklet. `take` numbers the sounds that are played one after the other. */
export type Order =
  | { type: "sound"; take: number; samples: Float32Array }
  | { type: "end"; take: number }
  | { type: "stop"; take: number };

/** How far the worklet is. */
export interface Position {
  type: "position" | "ended" | "stopped";
  take: number;
  /** Samples of the take that were given to the device. */
  played: number;
  /** Samples that wait. */
  waiting: number;
  /** How often the take ran dry. */
  underruns: number;
  /** The time of the audio context. */
  at_s: number;
}

export const PROCESSOR = "rtclient-player";
/** How long the sound takes to fade out after a stop, and to fade in and out around an underrun. */
export const RAMP_S = 0.005;
const REPORT_S = 0.05;

/** Samples in the order in which they came. It grows when it is full. */
export class Ring {
  private samples: Float32Array;
  private first = 0;
  /** How many samples are in it. */
  length = 0;

  constructor(capacity: number) {
    this.samples = new Float32Array(capacity);
  }

  push(added: Float32Array): void {
    if (this.length + added.length > this.samples.length) this.grow(this.length + added.length);
    const at = (this.first + this.length) % this.samples.length;
    const head = Math.min(added.length, this.samples.length - at);
    this.samples.set(added.subarray(0, head), at);
    this.samples.set(added.subarray(head), 0);
    this.length += added.length;
  }

  /** The first sample. There must be one. */
  shift(): number {
    const sample = this.samples[this.first] as number;
    this.first = (this.first + 1) % this.samples.length;
    this.length -= 1;
    return sample;
  }

  clear(): void {
    this.length = 0;
  }

  private grow(least: number): void {
    const larger = new Float32Array(Math.max(least, 2 * this.samples.length));
    const head = this.samples.subarray(this.first, Math.min(this.first + this.length, this.samples.length));
    larger.set(head);
    larger.set(this.samples.subarray(0, this.length - head.length), head.length);
    this.samples = larger;
    this.first = 0;
  }
}

/**
 * One take: its sound is played without a gap as long as it comes in time. Where it ends or breaks off, it fades over a
 * few milliseconds, so that nothing clicks.
 */
export class Take {
  played = 0;
  underruns = 0;
  private readonly ring: Ring;
  private readonly step: number; // of the gain, a sample
  private gain = 1;
  private last = 0; // the sample that was played last
  private hasBegun = false;
  private isDry = false;
  private hasEnded = false;
  private isStopping = false;

  /** `leadSamples`: as many must wait before it begins to play. */
  constructor(
    readonly number: number,
    rate: number,
    private readonly leadSamples: number,
  ) {
    this.ring = new Ring(rate);
    this.step = 1 / Math.max(1, Math.round(rate * RAMP_S));
  }

  get waiting(): number {
    return this.ring.length;
  }

  get isStopped(): boolean {
    return this.isStopping;
  }

  /** Whether nothing more of it will be heard. */
  get isOver(): boolean {
    if (this.isStopping) return this.gain === 0;
    return this.hasEnded && this.ring.length === 0 && (this.last === 0 || this.gain === 0);
  }

  push(samples: Float32Array): void {
    if (!this.isStopping) this.ring.push(samples);
  }

  /** No more sound comes. */
  end(): void {
    this.hasEnded = true;
  }

  /** Fades out; what waits beyond that is not played. */
  stop(): void {
    this.isStopping = true;
    if (!this.hasBegun) this.gain = 0;
  }

  /** Fills `output` from `at` on, until it is full or the take is over. Returns the place after the last sample. */
  fill(output: Float32Array, at: number): number {
    if (!this.hasBegun && !this.hasEnded && !this.isStopping && this.ring.length < this.leadSamples) return output.length;
    this.hasBegun = true;
    while (at < output.length && !this.isOver) output[at++] = this.next();
    if (this.isOver) this.ring.clear();
    return at;
  }

  private next(): number {
    const isMissing = this.ring.length === 0;
    if (isMissing && !this.isDry && !this.hasEnded && !this.isStopping) this.underruns += 1;
    this.isDry = isMissing;
    if (!isMissing) {
      this.last = this.ring.shift();
      this.played += 1;
    }
    const isFading = isMissing || this.isStopping;
    this.gain = isFading ? Math.max(0, this.gain - this.step) : Math.min(1, this.gain + this.step);
    if (isMissing && this.gain === 0) this.hasBegun = false; // waits for its lead again
    return this.last * this.gain;
  }
}

/** Takes one after the other. */
export class Queue {
  private readonly takes: Take[] = [];

  /** `report` is told when a take is over. */
  constructor(
    private readonly rate: number,
    private readonly leadS: number,
    private readonly report: (type: Position["type"], take: Take) => void,
  ) {}

  /** The take that is played. */
  get current(): Take | undefined {
    return this.takes[0];
  }

  obey(order: Order): void {
    const take = this.of(order.take);
    if (order.type === "sound") take.push(order.samples);
    else if (order.type === "end") take.end();
    else this.stop(take);
  }

  fill(output: Float32Array): void {
    let at = 0;
    for (let take = this.current; take !== undefined && at < output.length; take = this.current) {
      at = take.fill(output, at);
      if (!take.isOver) return;
      this.takes.shift();
      this.report(take.isStopped ? "stopped" : "ended", take);
    }
  }

  /** The current take still fades out. */
  private stop(take: Take): void {
    take.stop();
    if (take === this.current) return;
    this.takes.splice(this.takes.indexOf(take), 1);
    this.report("stopped", take);
  }

  private of(number: number): Take {
    let take = this.takes.find((other) => other.number === number);
    if (take === undefined) {
      take = new Take(number, this.rate, Math.round(this.leadS * this.rate));
      this.takes.push(take);
    }
    return take;
  }
}

/** Runs on the audio thread only. */
function register(add: (name: string, processor: unknown) => void): void {
  class PlayerProcessor extends AudioWorkletProcessor {
    private readonly queue: Queue;
    private reportedS = 0;

    constructor(options: { processorOptions: { leadS: number } }) {
      super();
      this.queue = new Queue(sampleRate, options.processorOptions.leadS, (type, take) => this.report(type, take));
      this.port.onmessage = (event: MessageEvent<Order>) => this.queue.obey(event.data);
    }

    process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
      const output = outputs[0]?.[0]; // it is all zero
      if (output !== undefined) this.queue.fill(output);
      const take = this.queue.current;
      if (take !== undefined && currentTime - this.reportedS >= REPORT_S) this.report("position", take);
      return true;
    }

    private report(type: Position["type"], take: Take): void {
      this.reportedS = currentTime;
      const { number, played, waiting, underruns } = take;
      const position: Position = { type, take: number, played, waiting, underruns, at_s: currentTime };
      this.port.postMessage(position);
    }
  }
  add(PROCESSOR, PlayerProcessor);
}

if (typeof registerProcessor === "function") register(registerProcessor);
