// What keeps a machine from running the fleet, told so that its owner can mend it. Not a FleetError:
// no call failed, and there is no service yet that could answer one.

export class FleetProblem extends Error {
  override readonly name = "FleetProblem";
  /** What to do about it: one sentence, a command where there is one. */
  readonly remedy: string;

  constructor(message: string, remedy: string, options?: { cause?: unknown }) {
    super(message, options);
    this.remedy = remedy;
  }

  /** For a terminal: what is wrong, then what helps. */
  describe(): string {
    return `${this.message}\n  ${this.remedy}`;
  }
}
