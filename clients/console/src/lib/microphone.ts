/** Records what the microphone hears. */

import workletUrl from "./recorder.worklet.ts?worker&url";
import { wavOf } from "./wav";

const SAMPLE_RATE = 24_000;

export class Microphone {
  /** From 0 to 1, of the latest piece. */
  level = 0;
  lengthS = 0;
  /** The loudest sample so far, from 0 to 1. */
  peak = 0;
  private readonly pieces: Int16Array[] = [];

  private constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
    private readonly onPiece: () => void,
  ) {}

  /** Asks the user for the microphone. `onPiece` is called with each piece of sound. */
  static async open(onPiece: () => void): Promise<Microphone> {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const context = new AudioContext({ sampleRate: SAMPLE_RATE });
    await context.audioWorklet.addModule(workletUrl);
    const microphone = new Microphone(stream, context, onPiece);
    const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    node.port.onmessage = (event: MessageEvent<Float32Array>) => microphone.take(event.data);
    context.createMediaStreamSource(stream).connect(node);
    await context.resume();
    return microphone;
  }

  /** Ends the recording. */
  async stop(): Promise<Blob> {
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
    const all = new Int16Array(this.pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return wavOf(all, SAMPLE_RATE);
  }

  private take(samples: Float32Array): void {
    this.pieces.push(Int16Array.from(samples, (sample) => Math.max(-1, Math.min(1, sample)) * 32767));
    this.level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    this.peak = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), this.peak);
    this.lengthS += samples.length / SAMPLE_RATE;
    this.onPiece();
  }
}

/** Browsers give the microphone only to pages over TLS or of this machine. */
export const canRecord = (): boolean => isSecureContext && navigator.mediaDevices !== undefined;
