-- The Entra-to-Campaign-Manager mapping: one row per SCIM user, from its creation until its account is known to be gone.
-- It outlives the user, because the account must still be deleted after DELETE /Users/{id}.
create table account (
  tenant_id integer not null references tenant,
  user_id uuid not null,
  standing text not null check (standing in ('awaiting', 'assigned', 'released', 'deleted')),
  campaign_manager_id text check (campaign_manager_id <> ''),
  -- Roles this service put, or may have put, on the account. Widened before a write and narrowed after its success.
  granted text[] not null default '{}',
  -- What the account was last written with, or may have been: how an account is found again whose creation was
  -- applied, but whose answer never arrived.
  email text,
  external_id text,
  -- The Idempotency-Key of a creation whose answer is still outstanding.
  create_key uuid,
  -- Since when a write may be under way of which nobody knows what became: it may still take effect.
  write_pending_since timestamptz,
  -- What Campaign Manager showed last.
  observed_roles text[],
  foreign_roles text[] not null default '{}',
  observed_at timestamptz,
  created_at timestamptz not null default now(),
  -- Null once the user is deleted, which exempts the row from the foreign key below.
  live_user_id uuid generated always as (case when standing <> 'deleted' then user_id end) stored,
  primary key (tenant_id, user_id),
  -- One account never serves two users, of whatever tenant: all tenants share one Campaign Manager.
  unique (campaign_manager_id)
);

create index account_email on account (lower(email));

-- Users and groups have the same columns, so that one store serves both. What is searched or constrained is derived from
-- the document by the database itself, and so cannot disagree with it.
create table scim_user (
  tenant_id integer not null references tenant,
  id uuid not null,
  -- The order of lists, which no change of a resource disturbs.
  position bigint not null generated always as identity,
  -- The resource as the client sent it, under the schemas' own spelling; no id, no meta, no groups.
  attributes jsonb not null check (jsonb_typeof(attributes) = 'object'),
  -- The same with every case-insensitive string folded by the service, so that filters and uniqueness compare alike
  -- whatever the database's collation. Any equality filter is one containment test on it.
  search jsonb not null check (jsonb_typeof(search) = 'object'),
  name_key text not null generated always as (search ->> 'userName') stored check (name_key <> ''),
  external_id text generated always as (attributes ->> 'externalId') stored,
  active boolean not null generated always as (coalesce((attributes -> 'active')::boolean, true)) stored,
  version bigint not null default 1 check (version > 0),
  -- To the millisecond, as clients see them, so that filters compare what they see.
  created_at timestamptz(3) not null default now(),
  last_modified timestamptz(3) not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, id) references account (tenant_id, user_id)
);

create unique index scim_user_name on scim_user (tenant_id, name_key);
create index scim_user_external_id on scim_user (tenant_id, external_id);
create index scim_user_search on scim_user using gin (search jsonb_path_ops);
create unique index scim_user_position on scim_user (tenant_id, position);

-- A user that exists always has its account row, and an account row that is not deleted always has its user.
-- Deferred, since the two refer to each other and one must be inserted first.
alter table account
  add foreign key (tenant_id, live_user_id) references scim_user (tenant_id, id) deferrable initially deferred;

-- Without it, each deletion of a user would look for its account from one end of the table to the other.
create index account_live_user on account (tenant_id, live_user_id);

create table scim_group (
  tenant_id integer not null references tenant,
  id uuid not null,
  position bigint not null generated always as identity,
  attributes jsonb not null check (jsonb_typeof(attributes) = 'object'),
  search jsonb not null check (jsonb_typeof(search) = 'object'),
  name_key text not null generated always as (search ->> 'displayName') stored check (name_key <> ''),
  external_id text generated always as (attributes ->> 'externalId') stored,
  version bigint not null default 1 check (version > 0),
  created_at timestamptz(3) not null default now(),
  last_modified timestamptz(3) not null default now(),
  primary key (tenant_id, id)
);

-- A group stands for the role of its name, so two groups of one name would be one role under two owners.
create unique index scim_group_name on scim_group (tenant_id, name_key);
create index scim_group_external_id on scim_group (tenant_id, external_id);
create index scim_group_search on scim_group using gin (search jsonb_path_ops);
create unique index scim_group_position on scim_group (tenant_id, position);

-- Members are rows, never a document: a PATCH costs what it touches, and concurrent PATCHes do not overwrite each other.
create table group_member (
  tenant_id integer not null,
  group_id uuid not null,
  user_id uuid not null,
  -- The order of joining, which is the order of roles on the account.
  joined bigint generated always as identity,
  primary key (tenant_id, group_id, user_id),
  foreign key (tenant_id, group_id) references scim_group on delete cascade,
  foreign key (tenant_id, user_id) references scim_user on delete cascade
);

create index group_member_user on group_member (tenant_id, user_id, joined);
