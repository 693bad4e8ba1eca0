/**
 * EMQX's HookProvider in its three generations at once, so that nodes of any version may call, and
 * the health check that EMQX 5.9 and later make of it.
 */
import { systemClock, type Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import { createHealthService } from "../rpc/health.js";
import type { BoundService } from "../rpc/server.js";
import { bindV1 } from "./exhook-v1.js";
import { bindV2 } from "./exhook-v2.js";
import { bindV3 } from "./exhook-v3.js";
import { createHookCalls } from "./hook-calls.js";
import type { HookListener } from "./hook-listener.js";
import type { HookPolicy } from "./hook-policy.js";

export interface HookServiceOptions {
  readonly listener: HookListener;
  /** Absent: EMQX decides on everything by itself. */
  readonly policy?: HookPolicy;
  /**
   * How long a decision may take, in ms; a call without one by then goes on as if it had not been
   * made. Well below EMQX's own limit (request_timeout, 5 s). Default 1000.
   */
  readonly deadlineMs?: number;
  readonly clock?: Clock;
  readonly logger: Logger;
}

const DEFAULT_DEADLINE_MS = 1_000;

export function createHookServices(options: HookServiceOptions): readonly BoundService[] {
  const { listener, logger } = options;
  const { policy = {}, deadlineMs = DEFAULT_DEADLINE_MS, clock = systemClock } = options;
  const calls = createHookCalls({ listener, policy, clock, logger, deadlineMs });
  return [bindV1(calls), bindV2(calls), bindV3(calls), createHealthService()];
}
