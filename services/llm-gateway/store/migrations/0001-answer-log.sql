-- The durable answer log: one row a request id of a tenant. States are told in core/decide-claim.ts.
create table completions (
  tenant text not null,
  request_id text not null,
  -- Digest of all that was asked: the same id with another body is refused.
  body_sha256 text not null,
  state text not null check (state in ('reserved', 'sent', 'stored', 'failed', 'unknown')),
  -- Raised by every change of state or owner; a change of an abandoned row names the version it saw.
  version integer not null default 1,
  -- The process that works on it: objid of its session advisory lock. Null: nobody.
  owner integer,
  model text not null,
  place text not null,
  run_id text not null,
  -- promptpo.llm.v1.Completion, encoded: text of any kind, byte for byte.
  answer bytea,
  -- Reason of the last failure; empty: none.
  error_reason text not null default '',
  -- Another process waits for the end of this call and wants to be notified.
  waited boolean not null default false,
  -- How often the call went to a provider as far as the log knows: takeovers of calls of unknown fate count again.
  send_count integer not null default 0,
  create_time timestamptz not null default now(),
  update_time timestamptz not null default now(),
  primary key (tenant, request_id),
  check ((state = 'stored') = (answer is not null))
);

-- The account: what was charged and what was free. Append only.
create table usage_entries (
  -- Made before it is written: an entry written twice counts once.
  id uuid primary key,
  tenant text not null,
  run_id text not null,
  model text not null,
  provider_calls bigint not null,
  free_calls bigint not null,
  -- False for calls that cost nothing; their tokens and cost are zero.
  charged boolean not null,
  prompt_tokens bigint not null,
  completion_tokens bigint not null,
  estimated boolean not null,
  -- Null: charged at an unknown price.
  cost_micro_usd bigint,
  create_time timestamptz not null default now(),
  check (charged or cost_micro_usd = 0)
);
create index usage_entries_by_run on usage_entries (tenant, run_id, create_time);
