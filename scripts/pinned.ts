// The first import of every script: refuses any Node but the pinned one before anything else is loaded.
import { requirePinnedNode } from "../packages/fleet/src/pinned-node.mjs";

requirePinnedNode();
