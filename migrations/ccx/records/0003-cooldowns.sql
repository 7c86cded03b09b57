-- The cooldown of each target as the notification service was started with it last. Whoever deletes old rows of reported, which may be a
-- process that knows no cooldown, leaves those that one still counts by.

CREATE TABLE ccx.cooldowns (
    event_type_id integer PRIMARY KEY,
    cooldown      interval NOT NULL,
    stored_at     timestamp without time zone NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')
);
COMMENT ON TABLE ccx.cooldowns IS 'cooldown in force of each target; a target without one has no row';
COMMENT ON COLUMN ccx.cooldowns.event_type_id IS 'The target: event_targets.id.';
