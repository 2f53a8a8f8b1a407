/** One field of a request that is wrong: path in the message (`settings.rounds`), and what is expected. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}
