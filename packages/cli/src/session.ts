// A fleet to talk to for the time of one command: the one named by PROMPTPO_OPTIMIZER, PROMPTPO_ROLLOUT and PROMPTPO_GATEWAY,
// else the one that is up in the data folder, else a temporary one that ends with the command.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { llm, optimizer, rollout } from "@promptpo/contracts";
import { type Answers, type Fleet, type FleetLog, openFleet, type Recording, type ServiceName } from "@promptpo/fleet";
import { type Client, createClient, type TlsOptions } from "@promptpo/service-kit";
import { type CommandContext, demoRecording } from "./context.ts";
import { UsageError } from "./usage-error.ts";

export interface Session extends AsyncDisposable {
  readonly optimizer: Client<typeof optimizer.OptimizerService>;
  readonly rollout: Client<typeof rollout.RolloutServiceService>;
  readonly gateway: Client<typeof llm.LlmGatewayService>;
  /** host:port of each service. */
  readonly addresses: Readonly<Record<ServiceName, string>>;
  /** Undefined for services elsewhere. */
  readonly fleet: Fleet | undefined;
  /** True when the fleet ends with this command. */
  readonly temporary: boolean;
}

export interface SessionOptions {
  readonly answers?: Answers;
  /** Settings of single services, for a fleet that has to be started. */
  readonly settings?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
}

export async function openSession(context: CommandContext, options: SessionOptions = {}): Promise<Session> {
  const elsewhere = addressesElsewhere(context.env);
  if (elsewhere !== undefined) return sessionAt(elsewhere, undefined, context, async () => {});
  const fleet = await openFleetFor(context, options);
  return sessionAt(fleet.addresses, fleet, context, () => leaveFleet(fleet, context));
}

/** The embedded fleet, joined or started. */
export async function openFleetFor(context: CommandContext, options: SessionOptions = {}): Promise<Fleet> {
  const { output } = context;
  const answers = options.answers ?? { kind: "any" };
  const recording = recordingFor(answers, context);
  const fleet = await openFleet(
    {
      folder: context.dataFolder,
      purpose: context.command,
      env: context.env,
      log: fleetLog(context),
      signal: context.interrupted,
      ...(recording === undefined ? {} : { recording }),
      ...(options.settings === undefined ? {} : { settings: options.settings }),
      onStart: () => output.note(output.colors.dim(`starting the fleet in ${context.dataFolder}`)),
    },
    answers,
    (holder) =>
      output.note(`process ${holder.pid} (${holder.purpose}) is starting or stopping the fleet: waiting for it`),
  );
  if (fleet.joined && output.live)
    output.note(output.colors.dim(`using the fleet that is up in ${context.dataFolder}`));
  return fleet;
}

/** Waits for whoever joined, unless Ctrl-C says otherwise; then ends the fleet. */
export async function leaveFleet(fleet: Fleet, context: CommandContext): Promise<void> {
  await fleet.untilUnused(context.interrupted, (users) =>
    context.output.note(
      `the fleet is still used by ${users.map((user) => `process ${user.pid} (${user.purpose})`).join(", ")}: waiting (Ctrl-C ends it)`,
    ),
  );
  await fleet.stop();
}

/** Without a key nothing but a recording can answer; better that than an error at the first model call. */
function recordingFor(answers: Answers, context: CommandContext): Recording | undefined {
  if (answers.kind === "recording") return { folder: answers.folder, mode: answers.mode };
  if (answers.kind === "provider" || hasProvider(context.env)) return undefined;
  return existsSync(join(demoRecording, "recording.yaml")) ? { folder: demoRecording, mode: "replay" } : undefined;
}

export function hasProvider(env: CommandContext["env"]): boolean {
  return ["OPENAI_API_KEY", "OPENAI_BASE_URL"].some((name) => (env[name] ?? "") !== "");
}

function addressesElsewhere(env: CommandContext["env"]): Record<ServiceName, string> | undefined {
  const named = {
    gateway: env["PROMPTPO_GATEWAY"] ?? "",
    rollout: env["PROMPTPO_ROLLOUT"] ?? "",
    optimizer: env["PROMPTPO_OPTIMIZER"] ?? "",
  };
  const set = Object.values(named).filter((address) => address !== "");
  if (set.length === 0) return undefined;
  if (set.length < 3)
    throw new UsageError(
      "only some of PROMPTPO_GATEWAY, PROMPTPO_ROLLOUT and PROMPTPO_OPTIMIZER are set",
      "Set all three to host:port, or none to use the embedded fleet.",
    );
  return named;
}

function sessionAt(
  addresses: Readonly<Record<ServiceName, string>>,
  fleet: Fleet | undefined,
  context: CommandContext,
  leave: () => Promise<void>,
): Session {
  const common = { ...tokenOf(context.env), ...tlsOf(context.env) };
  const clients = {
    optimizer: createClient(optimizer.OptimizerService, {
      target: addresses.optimizer,
      unavailable: "OPTIMIZER_UNAVAILABLE",
      ...common,
    }),
    rollout: createClient(rollout.RolloutServiceService, {
      target: addresses.rollout,
      unavailable: "ROLLOUT_UNAVAILABLE",
      ...common,
    }),
    gateway: createClient(llm.LlmGatewayService, {
      target: addresses.gateway,
      unavailable: "GATEWAY_UNAVAILABLE",
      ...common,
    }),
  };
  return {
    ...clients,
    addresses,
    fleet,
    temporary: fleet !== undefined && !fleet.joined,
    async [Symbol.asyncDispose]() {
      for (const client of Object.values(clients)) client.close();
      await leave();
    },
  };
}

function tokenOf(env: CommandContext["env"]): { token?: string } {
  const token = env["PROMPTPO_TOKEN"];
  return token === undefined || token === "" ? {} : { token };
}

function tlsOf(env: CommandContext["env"]): { tls?: TlsOptions } {
  const [ca, cert, key] = ["PROMPTPO_TLS_CA", "PROMPTPO_TLS_CERT", "PROMPTPO_TLS_KEY"].map((name) => env[name]);
  if (ca === undefined || ca === "") return {};
  return { tls: { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) } };
}

/** The fleet's own words, without their fields: those are for log files. */
function fleetLog({ output }: CommandContext): FleetLog {
  return {
    info: (_fields, message) => output.note(output.colors.dim(`fleet: ${message}`)),
    warn: (_fields, message) => output.note(output.colors.yellow(`fleet: ${message}`)),
    error: (_fields, message) => output.note(output.colors.red(`fleet: ${message}`)),
  };
}
