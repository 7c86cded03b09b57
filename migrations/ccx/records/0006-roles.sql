-- The processes that run, or ran until a few days ago: each role writes its row every 10 seconds. For people only: nothing goes by it.

CREATE TABLE ccx.roles (
    instance     uuid PRIMARY KEY,
    role         text NOT NULL,
    version      text NOT NULL,
    host         text NOT NULL,
    pid          integer NOT NULL,
    started_at   timestamp without time zone NOT NULL,
    last_seen_at timestamp without time zone NOT NULL,
    state        jsonb NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE ccx.roles IS 'Running instances of roles, written by each itself every 10 s, read by ccx roles; kept 7 days after they were seen last.';
COMMENT ON COLUMN ccx.roles.instance IS 'Another one at each start.';
COMMENT ON COLUMN ccx.roles.last_seen_at IS 'UTC, by the clock of the database: an instance that was not seen for 30 s is stale.';
COMMENT ON COLUMN ccx.roles.state IS 'At most 64 KiB: settings with their origin (secrets masked), whether it is ready, warnings, and what the role says itself: lag, pauses, quarantine. "stopped": true after an orderly stop.';
