/** Strict UTF-8, and strings that are valid Unicode. */

// A leading U+FEFF is text, not a byte order mark.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const LONE_SURROGATE = /\p{Cs}/u;
const LONE_SURROGATES = /\p{Cs}/gu;

/** @throws TypeError when `bytes` are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Whether `text` has no lone surrogate, so that UTF-8 can say it. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** `text` with U+FFFD for every lone surrogate, as UTF-8 encoders have it. */
export function toWellFormed(text: string): string {
  return isWellFormed(text) ? text : text.replace(LONE_SURROGATES, "\ufffd");
}
