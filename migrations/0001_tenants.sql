-- A tenant is one customer's Entra directory. Every key and every foreign key of every other table starts with
-- tenant_id, so that a row of one tenant cannot refer to another's.
create table tenant (
  tenant_id integer generated always as identity primary key,
  -- Appears in commands, logs and metric labels, so it is kept to a label's alphabet.
  name text not null unique check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  created_at timestamptz not null default now()
);

insert into tenant (name) values ('default');

-- Bearer tokens. Only the SHA-256 of the secret part is kept: it has 256 random bits, so a slow hash would add nothing.
create table scim_token (
  tenant_id integer not null references tenant,
  token_id text not null check (token_id ~ '^[a-z0-9]{16}$'),
  name text not null check (name <> ''),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, token_id),
  -- The token is what names the tenant, so its id must lead to one tenant only.
  unique (token_id)
);
