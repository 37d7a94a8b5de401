-- What a tenant has of its own: whether it is served, its Campaign Manager and its policies. Null is the process's setting.
alter table tenant
  add column disabled_at timestamptz,
  -- Counts the changes of what follows. An attempt that went by an older one begins and records nothing more.
  add column settings_version integer not null default 1,
  -- Normalised, so that two tenants which name the same Campaign Manager are known to.
  add column campaign_manager_url text check (campaign_manager_url ~ '^https?://[^/]+(/.*[^/])?$'),
  -- Encrypted with a key that is not in the database; bound to the tenant.
  add column campaign_manager_key bytea,
  add column campaign_manager_key_id text,
  -- Which Campaign Manager the tenant's accounts are in; '' is the one that all tenants without one of their own share.
  add column endpoint text not null generated always as (coalesce(campaign_manager_url, '')) stored,
  add column placeholder_role text check (placeholder_role <> ''),
  add column protected_roles text[],
  add column unknown_role text check (unknown_role in ('reject', 'hold')),
  add column existing_accounts text check (existing_accounts in ('link', 'refuse')),
  add column on_deactivate text check (on_deactivate in ('ignore', 'suspend')),
  add column on_user_delete text check (on_user_delete in ('delete', 'release')),
  -- A URL without a key of its own could only be sent the shared one, which is nobody else's to have.
  add check ((campaign_manager_url is null) = (campaign_manager_key is null)),
  add check ((campaign_manager_key is null) = (campaign_manager_key_id is null));

alter table account
  -- The Campaign Manager that campaign_manager_id and create_key are about; says nothing without either.
  add column endpoint text not null default '',
  -- The placeholders this service put, or may have put, on the account: one that the setting does not name any more is
  -- taken off all the same. Widened before a write and narrowed after its success, as granted is.
  add column placeholders text[] not null default '{}';

-- Neither granted nor foreign: it can only be the placeholder.
update account set placeholders = observed_roles
where standing in ('awaiting', 'assigned') and campaign_manager_id is not null and deletion is null
  and cardinality(observed_roles) = 1 and granted = '{}' and foreign_roles = '{}';

-- Two Campaign Managers may well use the same id. The order of columns serves look-ups by the id alone, too.
alter table account drop constraint account_campaign_manager_id_key;
create unique index account_campaign_manager on account (campaign_manager_id, endpoint);

-- Lanes of each tenant, so that the many users of one do not stand before the few of another.
drop index dirty_user_due;
create index dirty_user_due on dirty_user (removal, failed, tenant_id, not_before, user_id);

-- A walk for each Campaign Manager. `singleton` is what the version before knows the shared one's by: null for all others,
-- so that it leaves those alone.
alter table inventory_walk add column endpoint text not null default '';
alter table inventory_walk drop constraint inventory_walk_pkey;
alter table inventory_walk drop constraint inventory_walk_singleton_check;
alter table inventory_walk alter column singleton drop not null;
alter table inventory_walk
  add primary key (endpoint),
  add unique (singleton),
  add check (case when endpoint = '' then singleton is true else singleton is null end);

alter table drift_finding add column endpoint text not null default '';
