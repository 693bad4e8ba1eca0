/**
 * The hooks of the host, told to a hook provider over ExHook, once the host knows where it is. It is
 * asked which hooks it wants until it answers for the first time, and never again: a provider that
 * comes back is called as before.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type { RequestMeta, ValuedResponse } from "../rpc/generated/exhook.v3.js";
import type { Hooks } from "./broker/hooks.js";
import { generations, type HookGeneration, type HookProvider } from "./hook-generation.js";
import { createHookPool, type HookPool } from "./hook-pool.js";
import { createHookRegistry, emptyRegistry, type HookRegistry } from "./hook-registry.js";
import {
  applyChanges,
  keyOf,
  noProperties,
  send,
  toClientInfo,
  toHookMessage,
} from "./hook-requests.js";

export interface HookClientOptions {
  readonly generation: HookGeneration;
  /** How long a call may take, in ms. */
  readonly timeoutMs: number;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface HookClient extends Hooks {
  /**
   * Until then nothing is hooked. Resolves when the provider has been asked for the first time; if it
   * is away, it is asked again every second. Throws the second time.
   */
  connect(address: string): Promise<void>;
  /** Calls nothing more, and tells the provider so, unless that takes too long. Never rejects. */
  close(): Promise<void>;
}

const LOAD_RETRY_MS = 1_000;
/** The provider gets so long to take leave, in ms. */
const UNLOAD_TIMEOUT_MS = 500;

const SYSDESCR = "EMQX";
const CLUSTER_NAME = "emqxcl";

export function createHookClient(options: HookClientOptions): HookClient {
  const { timeoutMs, nodeName: node, clock, logger } = options;
  const { version, honoursIgnore, undecided, renamed } = generations[options.generation];
  const meta: RequestMeta = { node, version, sysdescr: SYSDESCR, clusterName: CLUSTER_NAME };
  const startedAt = clock.now();
  let pool: HookPool | undefined;
  let registry: HookRegistry = emptyRegistry;
  let isLoaded = false;
  let isClosed = false;
  let cancelRetry: (() => void) | undefined;

  async function load(from: HookPool): Promise<void> {
    const broker = {
      version,
      sysdescr: SYSDESCR,
      uptime: clock.now() - startedAt,
      datetime: new Date(clock.now()).toISOString(),
    };
    try {
      const { hooks } = await from.call("", timeoutMs, (provider) =>
        provider.OnProviderLoaded({ broker, meta }),
      );
      isLoaded = true;
      if (!isClosed) registry = createHookRegistry(hooks, renamed, logger);
    } catch (error) {
      if (isClosed) return;
      logger.warn({ err: error }, "the hook provider can't be loaded yet");
      cancelRetry = clock.schedule(LOAD_RETRY_MS, () => void load(from));
    }
  }

  /** Undefined: there was no answer, or none that can be read. */
  async function ask<T>(
    key: string,
    hook: string,
    invoke: (provider: HookProvider) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await pool?.call(key, timeoutMs, invoke);
    } catch (error) {
      logger.warn({ hook, err: error }, "the hook provider has not answered");
      return undefined;
    }
  }

  function decide(answer: ValuedResponse | undefined, result: boolean): boolean {
    if (answer === undefined) return false;
    if (answer.type === "IGNORE") return honoursIgnore && result;
    return answer.value?.$case === "boolResult" ? answer.value.value : result;
  }

  return {
    connect(address) {
      if (pool !== undefined) throw new Error("the host has a hook provider: it takes one only");
      pool = createHookPool(address, options.generation);
      return load(pool);
    },
    async notify(notice) {
      const topic = "message" in notice ? notice.message.topic : undefined;
      if (!registry.wants(notice.hook, topic)) return;
      await ask(keyOf(notice), notice.hook, (provider) => send(provider, node, meta, notice));
    },
    async authenticate(client, password, result) {
      if (!registry.wants("client.authenticate")) return result ?? true;
      const given = result ?? undecided;
      const clientinfo = toClientInfo(node, client, password);
      const answer = await ask(client.clientId, "client.authenticate", (provider) =>
        provider.OnClientAuthenticate({ clientinfo, result: given, meta }),
      );
      return decide(answer, given);
    },
    async authorize(client, action, topic, result) {
      if (!registry.wants("client.authorize")) return result;
      const clientinfo = toClientInfo(node, client);
      const type = action === "publish" ? "PUBLISH" : "SUBSCRIBE";
      const answer = await ask(client.clientId, "client.authorize", (provider) =>
        provider.OnClientAuthorize({ clientinfo, type, topic, result, meta }),
      );
      return decide(answer, result);
    },
    async publish(message) {
      if (!registry.wants("message.publish", message.topic)) return message;
      const answer = await ask(message.from, "message.publish", (provider) =>
        provider.OnMessagePublish({ message: toHookMessage(node, message), meta, ...noProperties }),
      );
      // CONTINUE changes it as well: it is what the next provider would be asked about.
      if (answer?.value?.$case !== "message" || answer.type === "IGNORE") return message;
      return applyChanges(message, answer.value.value);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      cancelRetry?.();
      registry = emptyRegistry;
      if (isLoaded) {
        await pool
          ?.call("", Math.min(timeoutMs, UNLOAD_TIMEOUT_MS), (provider) =>
            provider.OnProviderUnloaded({ meta }),
          )
          .catch((error: unknown) =>
            logger.debug({ err: error }, "the hook provider was gone already"),
          );
      }
      pool?.close();
    },
  };
}
