export const PINNED_NODE_MAJOR: number;
export function requirePinnedNode(): void;
