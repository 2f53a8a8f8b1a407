-- Runs and their event logs. The log is what is true; every other column of `runs` is a projection of it, kept so that
-- lists need no folding. pg-boss keeps the queue of commands in a schema of its own (pgboss) in the same database.
create table runs (
  id text primary key,
  tenant text not null,
  -- Idempotency key of its creation; null: none was given.
  request_id text,
  -- Of the creation's canonical JSON: the same key with another request is refused.
  request_sha256 text not null,
  display_name text not null,
  environment text not null,
  model text not null,
  -- promptpo.optimizer.v1.RunState.
  state smallint not null,
  -- A worker has taken up a command of it.
  started boolean not null default false,
  last_sequence bigint not null,
  create_time timestamptz not null,
  end_time timestamptz,
  -- Of the canonical log; set when the run ends.
  digest text not null default '',
  -- promptpo.optimizer.v1.Run, BASIC, as of last_sequence.
  basic bytea not null
);
create unique index runs_by_request on runs (tenant, request_id) where request_id is not null;
create index runs_by_time on runs (tenant, create_time, id);
create index runs_active on runs (create_time, id) where end_time is null;

-- One outcome a place: whoever comes second finds the place taken.
create table events (
  run_id text not null references runs (id) on delete cascade,
  sequence bigint not null,
  place text not null,
  create_time timestamptz not null,
  -- promptpo.optimizer.v1.Event.
  event bytea not null,
  primary key (run_id, sequence),
  unique (run_id, place)
);

-- Commands that wait for something that is away. Not part of any log: gone as soon as the outcome is there.
create table waits (
  run_id text not null references runs (id) on delete cascade,
  place text not null,
  cause text not null,
  since timestamptz not null,
  primary key (run_id, place)
);

-- Running optimizer processes. Each holds the session advisory lock of its id as long as it lives.
create sequence replica_ids;
create table replicas (
  id bigint primary key,
  start_time timestamptz not null default now()
);

-- Which replica works on which job: what another one takes over when that one is gone.
create table claims (
  job_id uuid primary key,
  queue text not null,
  replica_id bigint not null,
  claim_time timestamptz not null default now()
);
create index claims_by_replica on claims (replica_id);
