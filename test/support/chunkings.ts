/** Ways to cut a stream into chunks. Each chunk has memory of its own, as on a socket. */

export type Chunking = (stream: Uint8Array) => readonly Uint8Array[];

export const chunkings: readonly (readonly [name: string, cut: Chunking])[] = [
  ["whole", (stream) => [stream.slice()]],
  ["byte by byte", (stream) => cutEvery(stream, 1)],
  ["header|body", (stream) => [stream.slice(0, 1), stream.slice(1)]],
  ["sevens", (stream) => cutEvery(stream, 7)],
];

export function cutEvery(stream: Uint8Array, bytes: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += bytes) chunks.push(stream.slice(at, at + bytes));
  return chunks;
}

/** Cuts at these places, in any order; what lies outside the stream gives empty chunks. */
export function cutAt(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places, stream.length].sort((a, b) => a - b);
  return ends.map((end, index) => stream.slice(index === 0 ? 0 : ends[index - 1], end));
}
