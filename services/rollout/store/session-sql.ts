/**
 * What several statements about sessions say alike. Conditions hold for a row of `sessions`; text only, no values.
 */

/** Key of the advisory lock under which shards are placed: the first six bytes of sha-256("promptpo rollout sessions"). */
export const SESSIONS_LOCK = "15978767886520";

/** A replica that places shards says so about once a second; after this long without a word it has died. */
const PLACING_SILENCE = "interval '10 seconds'";

export const IS_PLACING = `(placing_time is not null and placing_time > clock_timestamp() - ${PLACING_SILENCE})`;

/** Counts against quotas and answers to its request_id. */
export const IS_LIVE = `((state = 'OPEN' and expire_time > clock_timestamp()) or (state = 'OPENING' and ${IS_PLACING}))`;
