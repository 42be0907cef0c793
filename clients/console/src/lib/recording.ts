/** A recording that the user chose: bytes from a file or the microphone, or a path on the server. */
export type Recording =
  | { kind: "bytes"; name: string; bytes: Uint8Array; type: string; lengthS: number | null }
  | { kind: "path"; path: string };

/** Reads a file. Its length is null where the browser cannot decode it; the server may all the same. */
export async function recordingOf(file: Blob, name: string): Promise<Recording> {
  const buffer = await file.arrayBuffer();
  const bytes = new Uint8Array(buffer.slice(0));
  let lengthS: number | null = null;
  try {
    lengthS = (await new OfflineAudioContext(1, 1, 24_000).decodeAudioData(buffer)).duration;
  } catch {
    // the server says whether it can read it
  }
  return { kind: "bytes", name, bytes, type: file.type, lengthS };
}
