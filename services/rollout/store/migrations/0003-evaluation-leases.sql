-- Who works on an open evaluation, so that replicas do not simulate the same episodes and one takes over from another
-- that died.

-- Replicas that work on something, by an id of their own making. Alive until lease_time, which they move on as they go.
create table evaluation_replicas (
  id         text        not null primary key,
  lease_time timestamptz not null
);

alter table evaluations
  -- The replica that works on it; null: nobody does.
  add column holder  text,
  -- Raised each time that somebody begins to work on it: what was simulated under a lower number is not stored any more.
  add column fence   bigint  not null default 0,
  -- Some replica waits for its news, so they are notified.
  add column watched boolean not null default false;
