/**
 * Making a call's row in the answer log ours, or finding that somebody else's answer will do.
 *
 * While another living process works on the row it is waited for. An owner that is not there is looked for a second time
 * before its call is taken over.
 */
import { llm } from "@promptpo/contracts";
import type { Call } from "../call.ts";
import { fateUnknown, requestIdReused } from "../call-errors.ts";
import { toldAgain } from "../completion.ts";
import { decideClaim } from "../decide-claim.ts";
import { failure, type Outcome } from "../outcome.ts";
import type { AnswerLog, Clock } from "../ports.ts";
import { reasonOf, sleep } from "./waiting.ts";

/** Time in which a living owner whose connection broke takes its lock again; a dead one's calls wait for it. */
const OWNER_GRACE_MS = 1_000;

/** Undefined: the row is ours, RESERVED. Else the outcome: there is nothing left to do. */
export async function claimRow(
  log: AnswerLog,
  clock: Clock,
  call: Call,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const missed = new Set<string>();
  for (;;) {
    if (signal.aborted) return failure(reasonOf(signal), "unsent");
    const row = await log.reserve(call);
    if (row === "reserved") return undefined;
    const ownerWasMissed = row.owner !== undefined && missed.has(`${row.owner}:${row.version}`);
    switch (decideClaim(row, call, { owner: log.owner, ownerWasMissed })) {
      case "answer": {
        if (row.completion === undefined) throw new Error("a stored row without an answer");
        const completion = toldAgain(row.completion, llm.Completion_Source.SOURCE_ANSWER_LOG);
        return { kind: "answer", completion };
      }
      case "refuse":
        return failure(requestIdReused(call), "unsent");
      case "hold":
        if (row.state === "sent") await log.markUnknown(call, row.version);
        return failure(fateUnknown(call), "unsent");
      case "wait":
        await log.changed(call, signal);
        break;
      case "look-again":
        if (row.owner !== undefined) missed.add(`${row.owner}:${row.version}`);
        await sleep(clock, OWNER_GRACE_MS, signal);
        break;
      case "take":
        if (await log.take(call, row.version)) return undefined;
        break;
    }
  }
}
