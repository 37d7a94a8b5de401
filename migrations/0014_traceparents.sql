-- The traced requests that marked the user, the newest first, as W3C traceparents: whichever process reconciles the user names them.
alter table dirty_user add column traceparents text[];
