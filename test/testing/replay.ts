// A recorded run, asked for again of a fleet that replays the recording.
import { readRecordingFile } from "@promptpo/cli/recording-file.ts";
import { connect, llm, type optimizer } from "@promptpo/client";
import type { Fleet } from "@promptpo/fleet";

export interface Replay {
  readonly run: optimizer.Run;
  readonly recordedDigest: string | undefined;
  /** False where numbers may differ in their last bits from those of the machine that recorded. */
  readonly sameFingerprint: boolean;
}

/** `exactEverywhere`: the environment's numbers are the same on every machine. */
export async function replay(fleet: Fleet, recording: string, options: { exactEverywhere: boolean }): Promise<Replay> {
  const recorded = readRecordingFile(recording);
  await using client = connect({ optimizer: fleet.addresses.optimizer, rollout: fleet.addresses.rollout });
  const { fingerprint } = await client.rollout.listEnvironments({ pageSize: 1, pageToken: "", family: "" });
  const sameFingerprint = fingerprint?.digest === recorded.fingerprintDigest;
  const { id } = await client.createRun({
    ...recorded.settings,
    replayTolerance:
      sameFingerprint || options.exactEverywhere
        ? recorded.settings.replayTolerance
        : llm.ReplayTolerance.REPLAY_TOLERANCE_MASKED_NUMBERS,
  });
  for await (const _ of client.watchRun(id)) {
    // Only the end matters.
  }
  return { run: await client.run(id), recordedDigest: recorded.digest, sameFingerprint };
}
