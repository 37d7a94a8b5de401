-- Deletions lately begun. A user counts once, however often a deletion was tried.
create table account_deletion (
  tenant_id integer not null references tenant,
  user_id uuid not null,
  begun_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);

create index account_deletion_begun on account_deletion (tenant_id, begun_at);

-- While a tenant has one, none of its accounts is deleted: they are disabled instead, until an operator decides.
create table deletion_hold (
  tenant_id integer primary key references tenant,
  held_since timestamptz not null default now(),
  -- What it was that made too many: at that moment deleted, still to be deleted, and of how many.
  deleted integer not null,
  pending integer not null,
  accounts integer not null,
  -- Whether an account goes with its deleted user although it holds roles that are not ours.
  deletes_foreign boolean not null
);

-- held      disabled instead of deleted, until an operator decides
-- approved  an operator lets the deletion go ahead: it is neither counted nor held
-- kept      an operator called the deletion off: the account stays as it was, until Entra changes the user's standing
alter table account
  add column deletion text check (deletion in ('held', 'approved', 'kept')),
  -- Whether the account was enabled before it was held; what it returns to when it is kept and its user is gone.
  add column enabled_before boolean;

-- For the counts, and for somebody created anew who takes over what was kept.
create index account_decided on account (tenant_id, external_id) where deletion is not null;
