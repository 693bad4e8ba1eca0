import type { HookClient } from "./hook-listener.js";

/** Undefined: as EMQX has decided it. */
export type Decision = boolean | undefined;

/**
 * Decides what EMQX would decide otherwise. What is absent is not asked for; a policy that throws or
 * is late has decided nothing.
 */
export interface HookPolicy {
  /** Whether the client may connect. Either answer is final: no other authenticator is asked. */
  authenticate?(client: HookClient, password: string): Decision | Promise<Decision>;
  authorize?(
    client: HookClient,
    action: "publish" | "subscribe",
    topic: string,
  ): Decision | Promise<Decision>;
}
