/**
 * Any string of ours as one that PostgreSQL takes, and back without loss. PostgreSQL refuses U+0000 in
 * text, UTF-8 has no lone surrogates, and an index takes no value over about 2700 bytes; nothing stops
 * a client id or a topic from being such.
 */
import { createHash } from "node:crypto";

const MAX_KEY_BYTES = 256;

export function encodeText(text: string): string {
  return text.replace(/[\\\p{Cc}\p{Cs}]/gu, (char) =>
    char === "\\" ? "\\\\" : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function decodeText(text: string): string {
  return text.replace(/\\(?:u([0-9a-f]{4})|.)/g, (_, hex: string | undefined) =>
    hex === undefined ? "\\" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

export interface IndexedText {
  /** What is compared. No encoded text begins with \#, so that no two texts have one key. */
  readonly key: string;
  /** The encoded text, where the key is not it. */
  readonly long: string | null;
}

export function encodeIndexed(text: string): IndexedText {
  const encoded = encodeText(text);
  if (Buffer.byteLength(encoded) <= MAX_KEY_BYTES) return { key: encoded, long: null };
  return { key: `\\#${createHash("sha256").update(encoded).digest("hex")}`, long: encoded };
}

export function decodeIndexed({ key, long }: IndexedText): string {
  return decodeText(long ?? key);
}
