-- What people changed: who, from where, what it was about, and how it was before and after. Each row is written in the transaction of its
-- change, so that there is no change without a row and no row without a change. Rows are never changed; they are kept 400 days.

CREATE TABLE ccx.audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamp without time zone NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    actor   text NOT NULL,
    origin  text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    before  jsonb,
    after   jsonb,
    reason  text
);
CREATE INDEX audit_age ON ccx.audit (at, id);
COMMENT ON TABLE ccx.audit IS 'Changes that people made, one row each. Written by ccx commands, the read API and the console, read by ccx audit list.';
COMMENT ON COLUMN ccx.audit.at IS 'UTC: when the transaction of the change began, by the clock of the database.';
COMMENT ON COLUMN ccx.audit.actor IS 'Who: on a command line what --by says, else the login name.';
COMMENT ON COLUMN ccx.audit.origin IS 'From where: a command line and its host, or the address of a request.';
COMMENT ON COLUMN ccx.audit.action IS 'What was done, in the words of its command: clusters move.';
COMMENT ON COLUMN ccx.audit.subject IS 'What it was done to: the UUID of a cluster, notifications/ID, TOPIC/PARTITION/OFFSET.';
COMMENT ON COLUMN ccx.audit.before IS 'NULL where there was nothing.';
COMMENT ON COLUMN ccx.audit.after IS 'NULL where there is nothing any more.';
COMMENT ON COLUMN ccx.audit.reason IS 'NULL where nobody gave one.';
