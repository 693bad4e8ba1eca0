/**
 * Two token buckets of one connection, frames and bytes. Bytes are charged as they arrive and may
 * run into debt (they are here already); frames are charged as they are carried out.
 */

export interface RateLimits {
  readonly framesPerSecond: number;
  /** Frames that may come at once. */
  readonly frameBurst: number;
  readonly bytesPerSecond: number;
  /** Bytes that may come at once. */
  readonly byteBurst: number;
}

export interface Bucket {
  readonly frames: number;
  readonly bytes: number;
  /** When it was filled last. */
  readonly at: number;
  /** Frames refused, less those that time has made good at `framesPerSecond`. */
  readonly refused: number;
}

export function fullBucket(limits: RateLimits, now: number): Bucket {
  return { frames: limits.frameBurst, bytes: limits.byteBurst, at: now, refused: 0 };
}

function refill(bucket: Bucket, limits: RateLimits, now: number): Bucket {
  // A clock that was set back fills nothing.
  const seconds = Math.max(0, now - bucket.at) / 1000;
  return {
    ...bucket,
    at: now,
    frames: Math.min(limits.frameBurst, bucket.frames + seconds * limits.framesPerSecond),
    bytes: Math.min(limits.byteBurst, bucket.bytes + seconds * limits.bytesPerSecond),
    // Not by an accepted frame: at any rate, some are accepted among the refused.
    refused: Math.max(0, bucket.refused - seconds * limits.framesPerSecond),
  };
}

export function chargeBytes(
  bucket: Bucket,
  limits: RateLimits,
  bytes: number,
  now: number,
): Bucket {
  const filled = refill(bucket, limits, now);
  return { ...filled, bytes: filled.bytes - bytes };
}

export type FrameCharge =
  | { readonly verdict: "accepted"; readonly bucket: Bucket }
  | { readonly verdict: "refused"; readonly bucket: Bucket; readonly retryAfterMs: number }
  /** More refusals than a whole burst are not made good, or it is in debt by as many bytes. */
  | { readonly verdict: "flooded"; readonly bucket: Bucket; readonly retryAfterMs: number };

export function chargeFrame(
  bucket: Bucket,
  limits: RateLimits,
  cost: number,
  now: number,
): FrameCharge {
  const filled = refill(bucket, limits, now);
  if (filled.frames >= cost && filled.bytes >= 0) {
    return { verdict: "accepted", bucket: { ...filled, frames: filled.frames - cost } };
  }
  const refused = filled.refused + 1;
  const waitMs = Math.max(
    ((cost - filled.frames) / limits.framesPerSecond) * 1000,
    (-filled.bytes / limits.bytesPerSecond) * 1000,
  );
  return {
    verdict: isFlooded(filled, limits) || refused > limits.frameBurst ? "flooded" : "refused",
    bucket: { ...filled, refused },
    retryAfterMs: Math.max(1, Math.ceil(waitMs)),
  };
}

/** In debt by more than a burst: the client went on regardless. */
export function isFlooded(bucket: Bucket, limits: RateLimits): boolean {
  return bucket.bytes < -limits.byteBurst;
}
