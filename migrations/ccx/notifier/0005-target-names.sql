-- Targets have names, which receivers will be told apart by. An older release writes rows without one; the service gives the two targets
-- of event_targets theirs when it starts.

ALTER TABLE ccx.notification_targets ADD COLUMN name text;
CREATE UNIQUE INDEX notification_targets_name ON ccx.notification_targets (name);
COMMENT ON COLUMN ccx.notification_targets.name IS 'kafka for 1, service_log for 2, as event_targets numbers them; of a receiver its own. NULL where an older release wrote the row.';
COMMENT ON COLUMN ccx.notification_targets.event_type_id IS 'event_targets.id of the two targets. Receivers have ids from 1000, the largest there ever was and one more: their rows are never deleted, so that no id is used again.';
