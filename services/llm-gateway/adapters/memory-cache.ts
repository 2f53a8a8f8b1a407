/**
 * The exact cache in this process's memory: least recently used goes first, bounded by bytes and age.
 */
import type { llm } from "@promptpo/contracts";
import { LRUCache } from "lru-cache";
import type { AnswerCache } from "../core/ports.ts";

/** What an entry takes beside its text: keys, the completion's fields, the list's own bookkeeping. */
const OVERHEAD_BYTES = 1_024;

export interface MemoryCache extends AnswerCache {
  /** Bytes of all entries, estimated from above. */
  bytes(): number;
  entries(): number;
}

/** `bytes` 0: nothing is ever kept. */
export function memoryCache(limits: { readonly bytes: number; readonly ttlMs: number }): MemoryCache {
  if (limits.bytes === 0) {
    return { get: async () => undefined, set: async () => undefined, bytes: () => 0, entries: () => 0 };
  }
  const kept = new LRUCache<string, llm.Completion>({
    maxSize: limits.bytes,
    // Two bytes a UTF-16 unit: V8 needs one for Latin-1, so this errs on the safe side.
    sizeCalculation: (completion) => OVERHEAD_BYTES + completion.text.length * 2,
    ttl: limits.ttlMs,
  });
  return {
    get: async (key) => kept.get(key),
    set: async (key, completion) => {
      kept.set(key, completion);
    },
    bytes: () => kept.calculatedSize,
    entries: () => kept.size,
  };
}
