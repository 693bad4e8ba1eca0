/** A host with a hook provider that it has loaded. */
import { afterEach } from "@jest/globals";
import type { HookGeneration, HostOptions } from "../../../src/host/index.js";
import type { HookSpec, ValuedResponse } from "../../../src/rpc/generated/exhook.v3.js";
import { eventually } from "../../support/eventually.js";
import { startRecordingProvider, type RecordingProvider } from "./recording-provider.js";
import { useWorlds, type World } from "./world.js";

export interface HookWorlds {
  /** A provider that no host knows of. */
  startProvider(
    generation: HookGeneration,
    hooks: readonly (string | HookSpec)[],
  ): Promise<RecordingProvider>;
  startWorld(options: HostOptions): Promise<World>;
  /** @param timeoutMs how long the host waits for an answer. */
  start(
    generation: HookGeneration,
    hooks: readonly (string | HookSpec)[],
    options?: HostOptions,
    timeoutMs?: number,
  ): Promise<{ readonly world: World; readonly provider: RecordingProvider }>;
}

/** Ends what was started after each test of a file. */
export function useHookWorlds(): HookWorlds {
  const startWorld = useWorlds();
  const providers: RecordingProvider[] = [];

  afterEach(async () => {
    await Promise.all(providers.splice(0).map((provider) => provider.close()));
  });

  async function startProvider(
    generation: HookGeneration,
    hooks: readonly (string | HookSpec)[],
  ): Promise<RecordingProvider> {
    const specs = hooks.map((hook) =>
      typeof hook === "string" ? { name: hook, topics: [] } : hook,
    );
    const provider = await startRecordingProvider(generation, specs);
    providers.push(provider);
    return provider;
  }

  return {
    startProvider,
    startWorld,
    async start(generation, hooks, options = {}, timeoutMs = 5_000) {
      const provider = await startProvider(generation, hooks);
      const hook = { generation, timeoutMs, address: provider.address };
      return { provider, world: await startWorld({ ...options, hook }) };
    },
  };
}

export const stop = (value: ValuedResponse["value"]): ValuedResponse => ({
  type: "STOP_AND_RETURN",
  value,
});

export const users = [{ username: "ann", password: "secret" }];

/** All hooks by the names that a generation has for them. */
export function allHooks(generation: HookGeneration): readonly string[] {
  return [
    "client.connect",
    "client.connack",
    "client.connected",
    "client.disconnected",
    "client.authenticate",
    generation === "v1" ? "client.check_acl" : "client.authorize",
    "client.subscribe",
    "client.unsubscribe",
    "session.created",
    "session.subscribed",
    "session.unsubscribed",
    "session.resumed",
    "session.discarded",
    generation === "v1" ? "session.takeovered" : "session.takenover",
    "session.terminated",
    "message.publish",
    "message.delivered",
    "message.dropped",
    "message.acked",
  ];
}

/** Lets everybody in, and do everything. */
export function allowAll(provider: RecordingProvider, generation: HookGeneration): void {
  const allow = () => stop({ $case: "boolResult", value: true });
  provider.answer("client.authenticate", allow);
  provider.answer(generation === "v1" ? "client.check_acl" : "client.authorize", allow);
}

export async function called(provider: RecordingProvider, hook: string, count = 1): Promise<void> {
  await eventually(`${hook} x ${count}`, () => provider.callsOf(hook).length >= count);
}
