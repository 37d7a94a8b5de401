-- A write that is about to be made and of which the audit trail does not tell yet: should the process die before it can say what
-- became of it, the next one says that it was begun.
alter table account add column untold_write jsonb;
