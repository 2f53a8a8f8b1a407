-- What is needed to remove old results, and no artifact that a kept one refers to.

-- Lower-case hex sha-256 of the episode's recorded trajectory; null: none.
alter table episodes add column artifact_sha256 text;

-- From the message: a string of 64 bytes (`@` is 64) in field 1 (newline is its tag) of the only reference that it can hold.
update episodes set artifact_sha256 = substring(encode(result, 'escape') from E'\n@([0-9a-f]{64})')
where octet_length(result) > 64;

create index episodes_by_artifact on episodes (artifact_sha256) where artifact_sha256 is not null;
create index evaluations_by_age on evaluations (update_time);
create index summaries_by_age on summaries (create_time);
create index exact_episodes_by_age on exact_episodes (create_time, key);
