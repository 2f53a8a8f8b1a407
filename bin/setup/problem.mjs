// What keeps set-up from finishing, with what its reader can do about it. Exit code 7: something this machine lacks;
// 1: a step failed.
export class SetupProblem extends Error {
  /**
   * @param {string} message what, where, why
   * @param {string} remedy one sentence, a command where there is one
   * @param {number} [exitCode]
   */
  constructor(message, remedy, exitCode = 1) {
    super(message);
    this.name = "SetupProblem";
    this.remedy = remedy;
    this.exitCode = exitCode;
  }

  describe() {
    return `${this.message}\n  ${this.remedy.replaceAll("\n", "\n  ")}`;
  }
}
