-- Clients of the token endpoint. One proves itself either by secrets or by assertions that its own identity provider signs.
create table oauth_client (
  tenant_id integer not null references tenant,
  client_id text not null check (client_id ~ '^[0-9a-f]{32}$'),
  name text not null check (name <> ''),
  access text not null check (access in ('read', 'write')),
  federated_issuer text,
  federated_subject text,
  federated_audiences text[],
  -- Without one the issuer's discovery document tells.
  jwks_url text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, client_id),
  -- The client is what names the tenant, so its id must lead to one tenant only.
  unique (client_id),
  constraint oauth_client_federation_whole check (
    num_nulls(federated_issuer, federated_subject, federated_audiences) in (0, 3)
    and (federated_audiences is null or cardinality(federated_audiences) > 0)
    and (jwks_url is null or federated_issuer is not null)
  )
);

-- An assertion may come without a client id, so whom it speaks for must be one client, of whatever tenant.
create unique index oauth_client_federation on oauth_client (federated_issuer, federated_subject)
  where revoked_at is null;

-- Only the SHA-256 is kept: a secret has 256 random bits, so a slow hash would add nothing.
create table oauth_client_secret (
  tenant_id integer not null,
  client_id text not null,
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  last_used_at timestamptz,
  -- How many days were left when a warning of its expiry was last due; the process that writes it logs the warning.
  expiry_warned_days integer,
  primary key (tenant_id, client_id, secret_hash),
  foreign key (tenant_id, client_id) references oauth_client
);

create table oauth_access_token (
  tenant_id integer not null,
  client_id text not null,
  token_hash bytea not null check (octet_length(token_hash) = 32),
  issued_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, client_id, token_hash),
  unique (token_hash),
  foreign key (tenant_id, client_id) references oauth_client
);

create index oauth_access_token_expiry on oauth_access_token (expires_at);

-- Whose tokens, issued by Entra itself, are a tenant's credential.
create table entra_issuer (
  tenant_id integer primary key references tenant,
  entra_tenant_id text not null check (entra_tenant_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'),
  audience text not null check (audience <> ''),
  -- Who must have asked Entra for the token.
  app_id text not null check (app_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'),
  created_at timestamptz not null default now(),
  -- Every customer's application has the same audience, so the directory is what tells tenants apart.
  constraint entra_issuer_one_tenant unique (entra_tenant_id, audience)
);
