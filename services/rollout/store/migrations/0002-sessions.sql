-- Sessions of environments: who has them, where their shards are, until when they live.
-- The sidecars are the truth about a shard; these rows are how replicas find it, and what quotas are counted by. All times
-- are the database's own: replicas need not agree on a clock.

-- OPENING: its shards are being made. OPEN: it may be stepped. CLOSED: it was closed, lapsed, or never came to be; the row
-- stays for a while, so that a repeated close is told from a stranger's.
create table sessions (
  id                text        not null primary key,
  tenant            text        not null,
  -- Empty: none.
  request_id        text        not null,
  -- Over the whole request without its request_id.
  body_sha256       text        not null,
  state             text        not null check (state in ('OPENING', 'OPEN', 'CLOSED')),
  environment       text        not null,
  -- The default resolved.
  variant           text        not null,
  family            text        not null,
  environment_count integer     not null check (environment_count > 0),
  -- promptpo.rollout.v1.CreateEnvSessionRequest with every default filled in and one seed an environment, or none.
  spec              bytea       not null,
  -- How long it lives without a step.
  lease_ms          bigint      not null check (lease_ms > 0),
  -- What the step stream must present; given again to whoever repeats the call. Empty once CLOSED.
  token             text        not null,
  -- Counts the times that shards were placed anew.
  generation        integer     not null default 0,
  -- Set while a replica places shards, and refreshed by it: one that is old belonged to a replica that died.
  placing_time      timestamptz,
  -- When it lapses unless it is stepped or renewed, as far as is known.
  expire_time       timestamptz not null,
  create_time       timestamptz not null default now(),
  check ((state = 'CLOSED') = (token = ''))
);

create unique index sessions_by_request on sessions (tenant, request_id) where request_id <> '' and state <> 'CLOSED';
create index sessions_by_tenant on sessions (tenant) where state <> 'CLOSED';
create index sessions_by_expiry on sessions (expire_time);

create table session_shards (
  session_id        text    not null references sessions on delete cascade,
  -- Order of the shards, from 0.
  position          integer not null,
  -- Target at which the sidecar is stepped.
  sidecar           text    not null,
  -- Empty: none, or not opened yet.
  unix_socket       text    not null default '',
  first_index       integer not null,
  environment_count integer not null check (environment_count > 0),
  primary key (session_id, position),
  -- A sidecar knows a shard by its session's id.
  unique (session_id, sidecar)
);

create index session_shards_by_sidecar on session_shards (sidecar);
