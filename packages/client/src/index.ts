/**
 * The TypeScript client of the fleet: `connect`, and the messages of its services.
 */
export { llm, optimizer, rollout, types } from "@promptpo/contracts";
export {
  type CallOptions,
  type Client,
  FleetError,
  isReason,
  type Pem,
  REASONS,
  type Reason,
  type TlsOptions,
} from "@promptpo/service-kit";
export { connect } from "./connect.ts";
export type { ConnectOptions } from "./connect-options.ts";
export type { Evaluation } from "./evaluate.ts";
export type { CallSettings, CreateRunOptions, EvaluateOptions, Fleet, WatchOptions } from "./fleet.ts";
export { hasEnded } from "./run-states.ts";
