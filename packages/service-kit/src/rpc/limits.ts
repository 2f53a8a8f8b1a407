/** Sizes that both sides of every call agree on. */

/** Bytes of one message. Large enough for a block of episodes with trajectories, small enough to buffer a few of them. */
export const MESSAGE_BYTES_MOST = 64 * 1024 * 1024;

/** Headers that carry the fleet's own facts about a call. */
export const HEADER = {
  authorization: "authorization",
  requestId: "x-request-id",
  tenant: "x-promptpo-tenant",
  traceparent: "traceparent",
} as const;
