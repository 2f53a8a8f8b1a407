/**
 * The database as services see it. Types only.
 */

export interface Queryable {
  /** The rows. int8 comes as bigint, float8 as the exact number, json and jsonb parsed, timestamptz as Date. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface Database extends Queryable, AsyncDisposable {
  /**
   * BEGIN, `work`, COMMIT; ROLLBACK when `work` throws. A connection that breaks during COMMIT gives
   * DATABASE_UNAVAILABLE although the transaction may be committed: make the work repeatable.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /**
   * LISTEN on a connection that is kept up. After a reconnection every listener is called once with "": what was
   * notified meanwhile is lost, so look again.
   */
  listen(channel: string, onNotify: (payload: string) => void): Promise<AsyncDisposable>;
  /** Whether the server answers a query now. Never throws. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}
