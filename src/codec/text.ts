/**
 * The text encoding, for people with nc or telnet: a command or a sentence a line, in UTF-8. The
 * codec gives the refs and fills in the room, for which it has to see both directions.
 */
import { Buffer } from "node:buffer";
import type { Codec, CodecOptions, Encoding } from "./encoding.js";
import type { Inbound } from "./frame.js";
import { broken, createFramedCodec } from "./framer.js";
import { createLineFramer } from "./lines.js";
import { parseLine } from "./text-commands.js";
import { createConversation } from "./text-conversation.js";
import { escapeControls, showFrame } from "./text-lines.js";
import { decodeUtf8 } from "./unicode.js";

export const text: Encoding = {
  name: "text",
  selfAcknowledging: true,
  opensWith: isPrintable,
  open: createTextCodec,
};

/** ASCII but for blanks and controls, or the first byte of a longer character. */
function isPrintable(byte: number): boolean {
  return (byte > 0x20 && byte < 0x7f) || (byte >= 0xc2 && byte <= 0xf4);
}

function createTextCodec({ maxFrameBytes }: CodecOptions): Codec {
  const talk = createConversation();
  return createFramedCodec<Inbound, Parameters<Codec["encode"]>[0]>({
    framer: createLineFramer(),
    maxFrameBytes,
    decode(bytes) {
      let line: string;
      try {
        line = decodeUtf8(bytes);
      } catch {
        return broken("BAD_FRAME", "the line is not valid UTF-8");
      }
      return parseLine(line, talk);
    },
    encode: (frame) =>
      Buffer.from(
        showFrame(frame, talk)
          .map((line) => `${escapeControls(line)}\n`)
          .join(""),
      ),
  });
}
