/**
 * Cuts a stream into lines that end in `\n` or `\r\n`. Bytes are looked at once: the search goes on
 * where the last chunk ended. A line's end does not count as part of its length.
 */
import { createByteQueue } from "./byte-queue.js";
import { tooLarge, type Framer } from "./framer.js";

const LF = 0x0a;
const CR = 0x0d;

export function createLineFramer(): Framer {
  const line = createByteQueue();
  return {
    get pendingBytes() {
      return line.length;
    },
    *cut(chunk, maxFrameBytes) {
      let start = 0;
      for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
        const piece = chunk.subarray(start, end);
        start = end + 1;
        const body = withoutCr(line.length === 0 ? piece : complete(piece));
        if (body.length > maxFrameBytes) {
          yield tooLarge(maxFrameBytes);
          return;
        }
        yield body;
      }
      line.append(chunk.subarray(start));
      // A last CR may turn out to belong to the line's end.
      const lineBytes = line.last === CR ? line.length - 1 : line.length;
      if (lineBytes > maxFrameBytes) yield tooLarge(maxFrameBytes);
    },
  };

  function complete(piece: Uint8Array): Uint8Array {
    line.append(piece);
    return line.take();
  }
}

function withoutCr(line: Uint8Array): Uint8Array {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}
