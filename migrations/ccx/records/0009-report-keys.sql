-- A report's facts are its record: by them a repeat is recognised, and they are the hops 7 and 8 of its request's trace.

ALTER TABLE ccx.report_facts
    ADD COLUMN request_key    uuid,
    ADD COLUMN stored_at      timestamp without time zone,
    ADD COLUMN skipped_sha256 bytea;
CREATE UNIQUE INDEX report_facts_key ON ccx.report_facts (request_key) WHERE request_key IS NOT NULL;
COMMENT ON COLUMN ccx.report_facts.request_key IS 'digest of request, cluster and LastChecked to the nanosecond: two reports with the same are one; NULL where the message had no request id, or an earlier release stored it (ccx.stored_message)';
COMMENT ON COLUMN ccx.report_facts.stored_at IS 'when it was sent to the database, and updated_at when it was checked: hops 8 and 7 of the trace; NULL where those are rows of ccx.trace, or nothing is traced';
COMMENT ON COLUMN ccx.report_facts.skipped_sha256 IS 'of its list in ccx.skipped_rules; NULL where no rule was skipped';
COMMENT ON COLUMN ccx.report_facts.skipped IS 'of rows of earlier releases what ccx.skipped_rules holds for later ones';

-- Clusters of one kind and version lack the same inputs: their lists are kept once.
CREATE TABLE ccx.skipped_rules (
    sha256    bytea PRIMARY KEY,
    rules     jsonb NOT NULL,
    stored_at timestamp without time zone NOT NULL
);
COMMENT ON TABLE ccx.skipped_rules IS 'lists of rules that ran into something missing, each once; kept as long as a report names it';
COMMENT ON COLUMN ccx.skipped_rules.rules IS 'by module: {"reason", "details"}, the details say which input';
COMMENT ON COLUMN ccx.skipped_rules.stored_at IS 'UTC; moved up now and then while reports come that name it';
