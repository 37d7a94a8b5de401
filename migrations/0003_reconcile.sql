-- The dirty set, which is the whole queue: a row per user whose account may differ from what the directory says.
create table dirty_user (
  tenant_id integer not null,
  user_id uuid not null,
  -- Counts the changes; a reconciliation removes the row only if this is still what it was when it began.
  generation bigint not null default 1 check (generation > 0),
  -- When the oldest change was made that Campaign Manager has not confirmed.
  dirty_since timestamptz not null default now(),
  not_before timestamptz not null default now(),
  attempts integer not null default 0 check (attempts >= 0),
  lease uuid,
  leased_until timestamptz,
  -- Why the last attempt did not finish: a code, and a sentence for the operator.
  failure text,
  failure_detail text,
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id) references account on delete cascade,
  check ((lease is null) = (leased_until is null)),
  check (failure is not null or failure_detail is null)
);

-- In the order in which users are claimed: those that never failed come first.
create index dirty_user_due on dirty_user ((failure is not null), not_before, user_id);
create index dirty_user_failure on dirty_user (failure) where failure is not null;

-- When a recurring duty is due next, so that one process of many does it.
create table duty (
  tenant_id integer not null references tenant,
  name text not null check (name in ('resync')),
  next_run_at timestamptz not null,
  primary key (tenant_id, name)
);
