-- Keys that all processes share and nobody else needs to know, made when first wanted.
create table service_key (
  purpose text primary key,
  key bytea not null check (length(key) = 32)
);

-- How the extensions of SCHEMA_EXTENSIONS were declared when the folded copies of resources were last made to match.
create table declared_extensions (
  resource_type text primary key check (resource_type in ('User', 'Group')),
  declaration text not null
);

-- Clients that follow changes ask for what was modified since.
create index scim_user_last_modified on scim_user (tenant_id, last_modified);
create index scim_group_last_modified on scim_group (tenant_id, last_modified);
