/**
 * A configuration that can not be used, as a list of named problems. Its text never holds a setting's value: it may be
 * a secret.
 */

export interface ConfigProblem {
  /** Name of the setting as the environment spells it (`PROMPTPO_LISTEN`). */
  readonly setting: string;
  /** Where the value came from: `environment`, `file /etc/…, key listen`, `default`. */
  readonly where: string;
  /** What is wrong with it. */
  readonly why: string;
  /** What to do about it. */
  readonly next: string;
}

export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ setting, where, why, next }) => `  ${setting} (${where}): ${why}. ${next}`);
    super(`the configuration can not be used:\n${lines.join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}
