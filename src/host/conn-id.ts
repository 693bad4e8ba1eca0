/**
 * Connection ids as EMQX makes them: the base64 of an Erlang pid in external term format, bytes
 * 83 58, the node's name as an atom (64, two bytes of length), then id, serial and creation of four
 * bytes each. The creation tells one incarnation of a node from the next.
 */
import { randomInt } from "node:crypto";

export interface ConnIds {
  /** Never the same twice. */
  next(): string;
  /** Whether this incarnation of the node could have given it out. */
  isOurs(conn: string): boolean;
}

const ID_AND_SERIAL_BYTES = 8;
/** A pid's id has 28 bits; what is above them goes to the serial. */
const ID_LIMIT = 2 ** 28;

export function createConnIds(nodeName: string, creation: number = randomInt(1, 2 ** 32)): ConnIds {
  const name = Buffer.from(nodeName);
  const head = Buffer.from([0x83, 0x58, 0x64, name.length >> 8, name.length & 0xff, ...name]);
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(creation);
  let count = 0;
  return {
    next() {
      count += 1;
      const pid = Buffer.alloc(ID_AND_SERIAL_BYTES);
      pid.writeUInt32BE(count % ID_LIMIT, 0);
      pid.writeUInt32BE(Math.floor(count / ID_LIMIT), 4);
      return Buffer.concat([head, pid, tail]).toString("base64");
    },
    isOurs(conn) {
      const bytes = Buffer.from(conn, "base64");
      return (
        // Node skips what is not base64, and does not miss the padding; EMQX does.
        bytes.toString("base64") === conn &&
        bytes.length === head.length + ID_AND_SERIAL_BYTES + tail.length &&
        bytes.subarray(0, head.length).equals(head) &&
        bytes.subarray(-tail.length).equals(tail)
      );
    },
  };
}
