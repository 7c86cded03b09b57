-- In the reverse order.

DROP INDEX IF EXISTS idx_reported_updated_at;

DROP INDEX IF EXISTS idx_reported_event_state_org_cluster;
