-- Since when one of the changes takes access away that the account may still give. Such users are claimed before those who
-- only gain some.
alter table dirty_user
  add column removal_since timestamptz,
  add column removal boolean not null generated always as (removal_since is not null) stored,
  add column failed boolean not null generated always as (failure is not null) stored;

drop index dirty_user_due;
-- One lane for each pair, in each of which users are claimed in the order in which they became due.
create index dirty_user_due on dirty_user (removal, failed, not_before, user_id);
