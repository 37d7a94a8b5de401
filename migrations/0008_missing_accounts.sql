alter table account
  -- Since when a linked account is not to be found: one look may have been at something that lags behind.
  add column missing_since timestamptz,
  -- Its deletion was asked for and not answered, so that it may well be gone.
  add column deletion_asked boolean not null default false;
