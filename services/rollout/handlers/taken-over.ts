/**
 * Thrown where another replica has taken an evaluation over: nothing of ours is stored any more, and nobody sees it.
 */
export class TakenOver extends Error {
  override readonly name = "TakenOver";
}
