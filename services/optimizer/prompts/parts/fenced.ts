// Code within a prompt, in a fence longer than any that the code itself holds.

export function fenced(source: string, language = "python"): string {
  const longest = Math.max(2, ...[...source.matchAll(/`{3,}/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${source.trimEnd()}\n${fence}`;
}
