import type { HookClient } from "./hook-listener.js";

/** Undefined: as EMQX has decided it. */
export type Decision = boolean | undefined;

/**
 * Decides what EMQX would decide otherwise. What is absent is not asked for; a policy that throws or
 * is late has decided nothing. EMQX 5 and later ask an authenticator of their own first, and the hook
 * only where that has not decided.
 */
export interface HookPolicy {
  /**
   * Whether the client may connect. Either answer is final: no further hook provider is asked. Where
   * EMQX has no authenticator, undefined lets nobody in (facts F4), chat clients included (facts F6).
   */
  authenticate?(client: HookClient, password: string): Decision | Promise<Decision>;
  authorize?(
    client: HookClient,
    action: "publish" | "subscribe",
    topic: string,
  ): Decision | Promise<Decision>;
}
