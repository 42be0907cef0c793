/** 16-bit samples that grow, and how loud they are, for a picture of them. */

const PEAK_S = 0.02;

export class Samples {
  /** The loudest sample of each 20 ms, from 0 to 1. */
  readonly peaks: number[] = [];
  private pieces: Int16Array<ArrayBuffer>[] = [];
  private odd: number | undefined; // first byte of a sample whose second has not come
  private peak = 0;
  private inPeak = 0;
  length = 0;

  constructor(readonly sampleRate: number) {}

  get lengthS(): number {
    return this.length / this.sampleRate;
  }

  /** Appends little-endian bytes, cut anywhere. Returns the samples that are whole now. */
  push(bytes: Uint8Array): Int16Array<ArrayBuffer> {
    const all = new Uint8Array(bytes.length + (this.odd === undefined ? 0 : 1));
    if (this.odd !== undefined) all[0] = this.odd;
    all.set(bytes, all.length - bytes.length);
    this.odd = all.length % 2 === 1 ? all[all.length - 1] : undefined;
    const whole = new Int16Array(all.buffer, 0, Math.floor(all.length / 2));
    this.pieces.push(whole);
    this.length += whole.length;
    this.measure(whole);
    return whole;
  }

  all(): Int16Array<ArrayBuffer> {
    const all = new Int16Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.pieces = [all];
    return all;
  }

  private measure(samples: Int16Array): void {
    const size = Math.round(PEAK_S * this.sampleRate);
    for (const sample of samples) {
      this.peak = Math.max(this.peak, Math.abs(sample) / 32768);
      if (++this.inPeak < size) continue;
      this.peaks.push(this.peak);
      this.peak = this.inPeak = 0;
    }
  }
}

/** As the player takes them. */
export function floatsOf(samples: Int16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(samples, (sample) => sample / 32768);
}
