// Everything that runs the fleet on one machine.
export { type FleetState, type Recording, readFleetState, SERVICES, type ServiceName } from "./fleet-state.ts";
export type { FleetUser } from "./fleet-users.ts";
export { type Answers, joinFleet, openFleet } from "./join-fleet.ts";
export { type FleetLog, silentLog } from "./log.ts";
export { requirePinnedNode } from "./pinned-node.mjs";
export { freePort, isPortFree } from "./ports.ts";
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./postgres/index.ts";
export { FleetProblem } from "./problem.ts";
export { type Fleet, FleetHeld, type FleetOptions, startFleet } from "./start-fleet.ts";
export { type VideoSettings, videoSettings } from "./video-settings.ts";
