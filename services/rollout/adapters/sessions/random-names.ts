/**
 * Ids and tokens of sessions from the system's generator of random numbers.
 */
import { randomBytes } from "node:crypto";
import type { SessionNames } from "../../handlers/session-ports.ts";

export const randomNames: SessionNames = {
  id: () => randomBytes(12).toString("hex"),
  token: () => randomBytes(32).toString("base64url"),
};
