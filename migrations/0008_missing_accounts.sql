-- Since when a linked account is not to be found: one look may have been at something that lags behind.
alter table account add column missing_since timestamptz;
