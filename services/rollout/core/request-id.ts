/**
 * The form of a request_id: short printable text, so that it can be a key, a log field and a metric-free path.
 */
import type { Violation } from "@promptpo/service-kit/errors.ts";

const CHARACTERS_MOST = 256;

export function requestIdViolations(requestId: string, path: string): Violation[] {
  if (requestId.length > CHARACTERS_MOST) {
    return [{ field: path, description: `has ${requestId.length} characters; at most ${CHARACTERS_MOST} are taken` }];
  }
  if (!/^[\x21-\x7e]*$/.test(requestId)) {
    return [{ field: path, description: "holds a character that is not printable ASCII, or a space" }];
  }
  return [];
}
