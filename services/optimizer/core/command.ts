// What a run asks of the outside. A command is named by its place; asking twice for one place costs once.
// It holds what the outside needs except prompts' words, which are made from state and place when the call is made.

export type ModelAsk = "policy" | "policy-repair" | "feedback" | "feedback-repair" | "reflection";

export interface ModelCommand {
  readonly kind: "model";
  readonly place: string;
  readonly ask: ModelAsk;
  /** Which of many samples of one prompt is meant. */
  readonly sampleIndex: number;
}

export interface EvaluateCommand {
  readonly kind: "evaluate";
  readonly place: string;
  readonly source: string;
  readonly seeds: readonly bigint[];
}

export interface SummarizeCommand {
  readonly kind: "summarize";
  readonly place: string;
  readonly feedbackSource: string;
  readonly policySource: string;
  readonly seeds: readonly bigint[];
}

export type Command = ModelCommand | EvaluateCommand | SummarizeCommand;
