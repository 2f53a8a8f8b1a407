// The prompt of a model call, made from a run's state and the call's place. Pure: at any later time the same log gives
// the same words, so prompts are not stored. What a place may see is fixed by the rounds before it.
import { canonicalJson, llm, sha256 } from "@promptpo/contracts";
import type { LogState } from "../core/log-state.ts";
import { parsePlace } from "../core/place.ts";
import { survey } from "../core/survey.ts";
import { feedbackPrompt, feedbackRepairPrompt } from "./feedback.ts";
import { refinePrompt } from "./refine.ts";
import { reflectionPrompt } from "./reflection.ts";
import { type BrokenPolicy, repairPrompt } from "./repair.ts";
import { taskPrompt } from "./task.ts";

/** The messages of the call at a place. Throws for a place that is no model call which the run has come to. */
export function promptFor(state: LogState, placeName: string): llm.Message[] {
  const content = promptText(state, placeName);
  if (content === undefined) throw new TypeError(`the run has no model call at ${placeName}`);
  return [{ role: llm.Message_Role.ROLE_USER, content: `${content}\n` }];
}

/** Hex sha-256 of messages in canonical JSON: what an answer is known to be an answer to. */
export function messagesDigest(messages: readonly llm.Message[]): string {
  return sha256(canonicalJson(messages.map(({ role, content }) => ({ role: llm.message_RoleToJSON(role), content }))));
}

function promptText(state: LogState, placeName: string): string | undefined {
  const { environment, settings } = state;
  const { rounds, brokenPrograms } = survey(state);
  const place = parsePlace(placeName);
  const round = rounds.find(({ number }) => number === place?.round);
  switch (place?.kind) {
    case "feedback":
      return feedbackPrompt(environment, settings);
    case "feedback-repair": {
      const broken = brokenPrograms.get(placeName);
      return broken === undefined ? undefined : feedbackRepairPrompt(environment, settings, broken);
    }
    case "reflection":
      return round === undefined ? undefined : reflectionPrompt(environment, settings, round.before.history);
    case "policy":
      if (round?.briefing === undefined) return undefined;
      return round.briefing.history.length === 0 && round.briefing.failures.length === 0
        ? taskPrompt(environment, settings)
        : refinePrompt(environment, settings, round.briefing);
    case "policy-repair": {
      const candidate = round?.candidates.find(({ index }) => index === place.who);
      const failed = candidate?.attempts[place.attempt - 1];
      if (failed?.error === undefined) return undefined;
      const { source, error, score, answer } = failed;
      const { FINISH_REASON_LENGTH } = llm.Completion_FinishReason;
      const broken: BrokenPolicy = {
        source,
        error,
        cutOff: answer?.completion?.finishReason === FINISH_REASON_LENGTH,
        episodes:
          score === undefined
            ? undefined
            : {
                failed: score.episodes.filter((episode) => episode.error !== undefined).length,
                all: score.episodes.length,
              },
      };
      return repairPrompt(environment, settings, broken);
    }
    default:
      return undefined;
  }
}
