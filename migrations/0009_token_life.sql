alter table scim_token
  -- 'read' changes nothing. Tokens from before may do what they always could.
  add column access text not null default 'write' check (access in ('read', 'write')),
  -- To the minute, and written a little later than it happened.
  add column last_used_at timestamptz,
  -- When its successor was made. From then on it counts as in use only if it is used after that.
  add column rotated_at timestamptz,
  -- How many days were left when a warning of its expiry was last due; the process that writes it logs the warning.
  add column expiry_warned_days integer;
