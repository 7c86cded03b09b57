-- What happened to each request: status messages of platform.payload-status, and what the notification writer and the notification
-- service did, which that topic does not carry.

CREATE TABLE ccx.trace (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    request_id   text NOT NULL,
    service      text NOT NULL,
    status       text NOT NULL,
    happened_at  timestamp without time zone NOT NULL,
    hop          smallint,
    detail       text,
    org_id       text,
    account      text,
    cluster      text,
    source       text,
    inventory_id text,
    system_id    text,
    recorded_at  timestamp without time zone NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    PRIMARY KEY (request_id, service, status, happened_at)
);
COMMENT ON TABLE ccx.trace IS 'events of each request, from every service; the same event told twice is one row';
COMMENT ON COLUMN ccx.trace.happened_at IS 'UTC, as the service that tells it says';
COMMENT ON COLUMN ccx.trace.status IS 'a status word of platform.payload-status, or the name of a business event';
COMMENT ON COLUMN ccx.trace.hop IS 'hop of the flow that the event finished, 1 to 12; NULL for failures and for other services';
COMMENT ON COLUMN ccx.trace.recorded_at IS 'UTC; retention goes by this, because happened_at is somebody else''s clock';

-- For retention. Rows come in order of time, so this index grows at its right end only, which is cheap.
CREATE INDEX trace_age ON ccx.trace (recorded_at);
