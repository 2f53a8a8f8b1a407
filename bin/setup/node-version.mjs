// The first import of every entry point: refuses a Node too old for set-up itself, before anything newer is parsed.
export const OLDEST_NODE = 20;

const major = Number(process.versions.node.split(".")[0]);
if (major < OLDEST_NODE) {
  process.stderr.write(
    `this is Node ${process.versions.node}, and set-up needs Node ${OLDEST_NODE} or newer\n` +
      "  Install it (your package manager, nvm, or nodejs.org) and run the same command again.\n",
  );
  process.exit(7);
}
