-- The walk keeps itself when it is due.
drop table duty;

-- The comparison of Campaign Manager's whole inventory with the directory. One row: all tenants share one Campaign
-- Manager, and one process of many walks at a time.
create table inventory_walk (
  singleton boolean primary key default true check (singleton),
  -- When the next walk begins, or when one that could not go on is taken up again.
  due_at timestamptz not null,
  lease uuid,
  leased_until timestamptz,
  -- The walk under way and its place, so that whoever comes after a crash goes on from there.
  walk uuid,
  began timestamptz,
  stage text check (stage in ('pages', 'missing', 'strays')),
  -- What the stage came to last: a page token, or a key of the rows it goes through. Null at its start.
  place text,
  steps integer not null default 0 check (steps >= 0),
  check ((lease is null) = (leased_until is null)),
  check ((walk is null) = (began is null) and (walk is null) = (stage is null)),
  check (walk is not null or place is null)
);

-- The accounts that a walk has seen, until it is finished: what is missing, or there twice, shows at its end alone.
-- Not unlogged: a crash would empty it, and everybody would seem to be missing.
create table inventory_account (
  walk uuid not null,
  campaign_manager_id text not null,
  external_id text,
  -- Whether it was some user's account when it was seen.
  linked boolean not null,
  seen_at timestamptz not null default now(),
  primary key (walk, campaign_manager_id)
);

create index inventory_account_external_id on inventory_account (walk, external_id) where external_id is not null;

-- What the walks found. A finished walk replaces what earlier ones left, except for users who still wait to be mended.
create table drift_finding (
  finding_id bigint primary key generated always as identity,
  walk uuid not null,
  -- Null for accounts that are nobody's here.
  tenant_id integer,
  user_id uuid,
  campaign_manager_id text,
  kind text not null check (
    kind in ('account_missing', 'roles_missing', 'roles_extra', 'disabled', 'edited', 'orphan', 'duplicate')
  ),
  -- A sentence for the operator, without e-mail addresses.
  detail text not null,
  found_at timestamptz not null default now(),
  check ((tenant_id is null) = (user_id is null))
);

create index drift_finding_user on drift_finding (tenant_id, user_id) where user_id is not null;

-- Whose an account may be that carries an external id and is nobody's.
create index account_external_id on account (external_id) where external_id is not null;
