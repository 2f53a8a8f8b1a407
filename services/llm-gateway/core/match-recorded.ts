/**
 * Which recorded answer fits a call. Pure.
 *
 * The key decides first. Then, as far as the tolerance allows, the same place: with prompts equal once their numbers are
 * masked, or whatever the prompt says. Where several fit, the one whose model is the one asked for is taken, else the one
 * most similar, else the first. A call without a place is matched by key alone.
 */
import { FleetError, nearest } from "@promptpo/service-kit/errors.ts";
import type { Call, ChatMessage, Tolerance } from "./call.ts";
import { firstDifference } from "./difference.ts";
import { maskNumbers } from "./mask-numbers.ts";
import type { Library, Recorded } from "./recorded.ts";
import { similarity } from "./similarity.ts";

export type Match = "exact" | "masked" | "place";

export type Lookup =
  | { readonly kind: "match"; readonly match: Match; readonly recorded: Recorded; readonly difference: string }
  | { readonly kind: "miss"; readonly error: FleetError };

type Asked = Pick<Call, "recordingKey" | "place" | "messages" | "parameters" | "model">;

export function matchRecorded(library: Library, call: Asked, tolerance: Tolerance): Lookup {
  const exact = preferred(library.byKey(call.recordingKey), call);
  if (exact !== undefined) return { kind: "match", match: "exact", recorded: exact, difference: "" };
  const there = call.place === "" ? [] : library.byPlace(call.place);
  if (tolerance !== "exact") {
    const masked = preferred(
      there.filter((recorded) => equalOnceMasked(recorded, call)),
      call,
    );
    if (masked !== undefined) return tolerated("masked", masked, call);
  }
  if (tolerance === "place") {
    const same = preferred(there, call);
    if (same !== undefined) return tolerated("place", same, call);
  }
  return { kind: "miss", error: damageOf(library, call) ?? missOf(library, call, there) };
}

/** Whether the two requests say the same but for numbers in the prompts. */
export function equalOnceMasked(recorded: Pick<Recorded, "messages" | "parameters">, call: Asked): boolean {
  return (
    recorded.messages.length === call.messages.length &&
    recorded.messages.every((message, at) => {
      const other = call.messages[at];
      return (
        other !== undefined &&
        other.role === message.role &&
        (other.content === message.content || maskNumbers(other.content) === maskNumbers(message.content))
      );
    }) &&
    sameParameters(recorded, call)
  );
}

function sameParameters(a: Pick<Recorded, "parameters">, b: Asked): boolean {
  const text = (parameters: Asked["parameters"]): string =>
    JSON.stringify(Object.entries(parameters).sort(([x], [y]) => (x < y ? -1 : 1)));
  return text(a.parameters) === text(b.parameters);
}

function tolerated(match: Match, recorded: Recorded, call: Asked): Lookup {
  return { kind: "match", match, recorded, difference: differenceOf(recorded, call) };
}

function differenceOf(recorded: Recorded, call: Asked): string {
  const inMessages = firstDifference(recorded.messages, call.messages);
  if (inMessages !== "") return inMessages;
  if (!sameParameters(recorded, call)) {
    return `parameters:\n- recorded: ${JSON.stringify(recorded.parameters)}\n+ asked:    ${JSON.stringify(call.parameters)}`;
  }
  return recorded.place === call.place ? "" : `the prompts are equal, recorded at ${named(recorded.place)}`;
}

function preferred(candidates: readonly Recorded[], call: Asked): Recorded | undefined {
  const ofModel = candidates.filter((recorded) => recorded.model === call.model);
  return mostSimilar(ofModel.length > 0 ? ofModel : candidates, call.messages);
}

function mostSimilar(candidates: readonly Recorded[], messages: readonly ChatMessage[]): Recorded | undefined {
  let best = candidates[0];
  if (candidates.length < 2) return best;
  let bestScore = -1;
  for (const candidate of candidates) {
    const score = similarity(candidate.messages, messages);
    if (score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}

function damageOf(library: Library, call: Asked): FleetError | undefined {
  const damage = library.damaged().find(({ place }) => place === undefined || (place === call.place && place !== ""));
  if (damage === undefined) return undefined;
  return new FleetError(
    "RECORDING_DAMAGED",
    `the recording's file ${damage.path} can not be used: ${damage.why}. Restore it from version control or record anew`,
    { metadata: { file: damage.path, place: call.place } },
  );
}

function missOf(library: Library, call: Asked, there: readonly Recorded[]): FleetError {
  const close = mostSimilar(there, call.messages) ?? closest(library, call);
  const what = `no recorded answer for ${named(call.place)} (key ${call.recordingKey.slice(0, 12)})`;
  const next = "record it with PROMPTPO_RECORDING_MODE=record, or allow more with PROMPTPO_REPLAY_TOLERANCE";
  if (close === undefined) {
    return new FleetError("RECORDING_MISS", `${what}: the recording is empty; ${next}`, {
      metadata: { place: call.place },
    });
  }
  return new FleetError(
    "RECORDING_MISS",
    `${what}. Nearest: ${named(close.place)}, answered by ${close.model} on ${close.date}; first difference: ` +
      `${differenceOf(close, call)}\n${next}`,
    { metadata: { place: call.place, nearest_place: close.place, nearest_key: close.key } },
  );
}

/** The most similar of the places that are spelt alike; of all places where none is. */
function closest(library: Library, call: Asked): Recorded | undefined {
  const all = library.all();
  const alike = new Set(nearest(call.place, [...new Set(all.map(({ place }) => place))]));
  const spelt = all.filter(({ place }) => alike.has(place));
  return mostSimilar(spelt.length > 0 ? spelt : all, call.messages);
}

function named(place: string): string {
  return place === "" ? "a call without a place" : `place ${place}`;
}
