-- When a SCIM client last changed a user or a group, for the alert that Entra has fallen silent.
alter table audit_head add column scim_write_at timestamptz(3);

update audit_head set scim_write_at = greatest(
  (select max(last_modified) from scim_user where scim_user.tenant_id = audit_head.tenant_id),
  (select max(last_modified) from scim_group where scim_group.tenant_id = audit_head.tenant_id)
);

-- For the numbers that are read for each scrape, which must not cost more where there are more users.
create index scim_user_inactive on scim_user (tenant_id, id) where not active;
create index account_standing on account (standing);

-- Whether Campaign Manager last showed the account enabled; null: it has not been looked at since this is recorded.
alter table account add column enabled boolean;
