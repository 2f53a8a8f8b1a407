// The embedded database of a machine without one.
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./server.ts";
