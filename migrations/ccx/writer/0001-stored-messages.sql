-- The writer's record of what it stored: one row per row of new_reports that it wrote. It tells a repeat from a new report, and it is how
-- a report finds its request. A record counts only while its row is still in new_reports: there is no foreign key, because other programs
-- clear and drop that table as they always did.

CREATE TABLE ccx.stored_message (
    topic        text NOT NULL,
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,
    sha256       bytea NOT NULL,
    request_id   text NOT NULL,
    org_id       integer NOT NULL,
    cluster      character(36) NOT NULL,
    last_checked text NOT NULL,
    updated_at   timestamp without time zone NOT NULL,
    PRIMARY KEY (topic, partition, "offset", sha256)
);
COMMENT ON TABLE ccx.stored_message IS 'messages that became rows of new_reports; how a repeat is recognised and how a report finds its request';
COMMENT ON COLUMN ccx.stored_message.sha256 IS 'of the message as it came: an offset alone says nothing once a topic was deleted and made again';
COMMENT ON COLUMN ccx.stored_message.request_id IS 'empty when the message had none';
COMMENT ON COLUMN ccx.stored_message.last_checked IS 'RFC 3339 in UTC with nine digits, so that two spellings of one moment are equal';
COMMENT ON COLUMN ccx.stored_message.updated_at IS 'with org_id and cluster the primary key of the row in new_reports';

CREATE UNIQUE INDEX stored_message_request ON ccx.stored_message (request_id, cluster, last_checked) WHERE request_id <> '';
CREATE INDEX stored_message_report ON ccx.stored_message (org_id, cluster, updated_at);
-- For retention. Rows come in order of time, so this index grows at its right end only, which is cheap.
CREATE INDEX stored_message_age ON ccx.stored_message (updated_at);
