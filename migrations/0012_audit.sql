-- The audit trail: what was changed, by whom, and what Campaign Manager answered. Entries are only ever added, each in the
-- transaction of what it tells of. No table here refers to another: the trail outlives what it is about, and must not wait
-- for anybody else's locks while it is written.
create table audit_entry (
  tenant_id integer not null,
  -- Counts a tenant's entries from 1, without gaps.
  sequence bigint not null check (sequence > 0),
  -- To the millisecond, as it is hashed.
  at timestamptz(3) not null,
  actor text not null check (actor <> ''),
  request_id text,
  operation text not null check (operation <> ''),
  resource_type text not null check (resource_type <> ''),
  resource_id text,
  -- Names, never values.
  attributes text[] not null default '{}',
  -- What an account was to hold after a write, and what it held before.
  wanted_roles text[],
  observed_roles text[],
  result text not null check (result in ('ok', 'failed', 'unknown')),
  reason text,
  detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
  -- Each entry's hash is over the one before it, so that none can be changed, moved or taken out unnoticed.
  previous_hash bytea not null check (octet_length(previous_hash) = 32),
  hash bytea not null check (octet_length(hash) = 32),
  primary key (tenant_id, sequence)
);

create index audit_entry_resource on audit_entry (tenant_id, resource_id, sequence);
-- Rows lie in the order of time, so a few pages of index serve years of entries.
create index audit_entry_at on audit_entry using brin (at);

-- Users whom an entry about something else concerns: who joined and left a group. Part of the entry's hash by its digest.
create table audit_subject (
  tenant_id integer not null,
  sequence bigint not null,
  user_id uuid not null,
  effect text not null check (effect in ('joined', 'left', 'concerned')),
  primary key (tenant_id, sequence, user_id)
);

create index audit_subject_user on audit_subject (tenant_id, user_id, sequence);

-- The newest entry of each tenant. Locked last of all locks, just before a commit.
create table audit_head (
  tenant_id integer primary key,
  sequence bigint not null check (sequence >= 0),
  hash bytea not null check (octet_length(hash) = 32)
);

-- The newest entry that retention has taken away: what is left follows on it.
create table audit_checkpoint (
  tenant_id integer primary key,
  sequence bigint not null check (sequence > 0),
  hash bytea not null check (octet_length(hash) = 32)
);

-- Whom a user id meant. The only personal data of the trail, apart from it so that it can be erased.
create table audit_person (
  tenant_id integer not null,
  user_id uuid not null,
  user_name text not null,
  primary key (tenant_id, user_id)
);

-- By hash, because a name may be longer than a tree takes.
create index audit_person_name on audit_person using hash (lower(user_name));

insert into audit_person (tenant_id, user_id, user_name)
select tenant_id, id, attributes ->> 'userName' from scim_user;

-- Against accidents, also of the tables' owner. Pruning says so in its transaction; nothing else may take entries away.
create function audit_refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('audit.pruning', true) = 'on' then
    return null;
  end if;
  raise exception 'the audit trail is only ever added to: % on % is refused', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end
$$;

create trigger audit_entry_append_only before update or delete or truncate on audit_entry
  for each statement execute function audit_refuse_change();
create trigger audit_subject_append_only before update or delete or truncate on audit_subject
  for each statement execute function audit_refuse_change();
