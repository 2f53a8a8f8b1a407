-- Results by request_id (what a repeated call gets) and by content (what an equal episode gets).
-- Results are kept as the bytes of their proto message: doubles keep every bit, and fields of a later contract survive.

-- OPEN: not all episodes are there; whoever asks again goes on. There is no failed state: a policy's failure is a result,
-- and a broken sidecar is a reason to ask again.
create table evaluations (
  tenant        text        not null,
  request_id    text        not null,
  -- Over the whole request without its request_id.
  body_sha256   text        not null,
  environment   text        not null,
  variant       text        not null,
  run_id        text        not null,
  episode_count integer     not null check (episode_count > 0),
  state         text        not null check (state in ('OPEN', 'SUCCEEDED', 'CANCELLED')),
  -- promptpo.rollout.v1.EvaluationSummary.
  summary       bytea,
  create_time   timestamptz not null default now(),
  update_time   timestamptz not null default now(),
  primary key (tenant, request_id),
  check ((state = 'SUCCEEDED') = (summary is not null))
);

create table episodes (
  tenant      text    not null,
  request_id  text    not null,
  -- Place in the list of seeds, counted from 0.
  position    integer not null,
  -- Digest of the fingerprint under which it was simulated.
  fingerprint text    not null,
  confined    boolean not null,
  -- promptpo.types.v1.EpisodeResult.
  result      bytea   not null,
  primary key (tenant, request_id, position),
  foreign key (tenant, request_id) references evaluations on delete cascade
);

create table summaries (
  tenant      text        not null,
  request_id  text        not null,
  body_sha256 text        not null,
  -- promptpo.rollout.v1.SummarizeTrajectoriesResponse.
  response    bytea       not null,
  create_time timestamptz not null default now(),
  primary key (tenant, request_id)
);

-- Exact results by content. A tenant learns nothing from another's entry that it could not compute: the key holds the
-- policy's whole source.
create table exact_episodes (
  key         bytea       not null primary key,
  result      bytea       not null,
  create_time timestamptz not null default now()
);
