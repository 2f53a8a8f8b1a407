// A fleet for a command: the one that is up in the folder, else a new one. Waits out one that is just starting or stopping.
// Refuses a fleet whose answers come from elsewhere than the command needs.
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FleetState, type Recording, readFleetState } from "./fleet-state.ts";
import { registerUser } from "./fleet-users.ts";
import { lockHolder } from "./folder-lock.mjs";
import { FleetProblem } from "./problem.ts";
import { isSameProcess } from "./process-identity.mjs";
import { type Fleet, FleetHeld, type FleetOptions, mapServices, startFleet } from "./start-fleet.ts";

/** A holder that neither comes up nor goes in this time is named instead of waited for. */
const WAIT_MS = 150_000;

/** Where a command needs the gateway's answers to come from. */
export type Answers =
  | { readonly kind: "any" }
  | { readonly kind: "provider" }
  | ({ readonly kind: "recording" } & Recording);

/** The fleet that is up, if one is. Its owner knows of us until `stop()`. */
export function joinFleet(folder: string, purpose: string, answers: Answers = { kind: "any" }): Fleet | undefined {
  const where = resolve(folder);
  if (!isUp(readFleetState(where))) return undefined;
  const leave = registerUser(where, purpose);
  // Read again: an owner that closed in between has not seen our note.
  const state = readFleetState(where);
  if (state === undefined || !isUp(state)) {
    leave();
    return undefined;
  }
  if (!fits(state, answers)) {
    leave();
    const has = state.recording === undefined ? "a provider" : `${state.recording.folder} (${state.recording.mode})`;
    const needs = answers.kind === "recording" ? `${resolve(answers.folder)} (${answers.mode})` : "a provider";
    throw new FleetProblem(
      `the fleet that is up (process ${state.owner.pid}, ${state.purpose}, since ${state.since}) answers from ${has}, and this command needs ${needs}`,
      `Stop that fleet first (Ctrl-C in its terminal, or: kill ${state.owner.pid}), or name another folder: PROMPTPO_DATA=DIR`,
    );
  }
  return {
    folder: where,
    joined: true,
    addresses: mapServices((name) => state.services[name].address),
    metrics: mapServices((name) => state.services[name].metrics),
    recording: state.recording,
    // One that is just closing to newcomers still serves us.
    isUp: () =>
      isSameProcess(state.owner.pid, state.owner.start) && readFleetState(where)?.owner.pid === state.owner.pid,
    pids: () => ({ owner: state.owner.pid }),
    untilUnused: async () => {},
    stop: async () => leave(),
    [Symbol.asyncDispose]: async () => leave(),
  };
}

/** Joins the fleet that is up, else starts one. `onWait` hears once whom it waits for. */
export async function openFleet(
  options: FleetOptions,
  answers: Answers = { kind: "any" },
  onWait?: (holder: { readonly pid: number; readonly purpose: string }) => void,
): Promise<Fleet> {
  const deadline = performance.now() + WAIT_MS;
  for (let told = false; ; ) {
    options.signal?.throwIfAborted();
    const joined = joinFleet(options.folder, options.purpose, answers);
    if (joined !== undefined) return joined;
    try {
      return await startFleet(options);
    } catch (error) {
      if (!(error instanceof FleetHeld) || performance.now() > deadline) throw error;
    }
    const holder = lockHolder(resolve(options.folder), "owner");
    if (holder !== undefined && !told) {
      told = true;
      onWait?.(holder);
    }
    await delay(200);
  }
}

function isUp(state: FleetState | undefined): boolean {
  return state?.phase === "up" && isSameProcess(state.owner.pid, state.owner.start);
}

function fits(state: FleetState, answers: Answers): boolean {
  if (answers.kind === "any") return true;
  if (answers.kind === "provider") return state.recording?.mode !== "replay";
  return state.recording?.mode === answers.mode && state.recording.folder === resolve(answers.folder);
}
