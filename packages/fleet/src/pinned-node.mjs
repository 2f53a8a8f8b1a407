// The Node that everything runs under. Plain JavaScript, because set-up reads it under Node 20. Importing it checks nothing;
// entry points call `requirePinnedNode` first.
export const PINNED_NODE_MAJOR = 24;

/** Ends the process, with what to do, when it runs under another Node. */
export function requirePinnedNode() {
  if (Number(process.versions.node.split(".")[0]) === PINNED_NODE_MAJOR) return;
  process.stderr.write(
    `this is Node ${process.versions.node}, and the fleet runs under Node ${PINNED_NODE_MAJOR}\n` +
      "  Start it by the commands of the README (npm start, npx promptpo, npm test): they bring that Node along.\n",
  );
  process.exit(7);
}
