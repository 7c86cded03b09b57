-- What is known of a stored report beyond the text that new_reports keeps, and of the rule catalogues that made reports. A row counts
-- only while its report is in new_reports: there is no foreign key, because other programs clear and drop that table as they always did.
-- Reports that the reference's writer stored have no row here, and are read as the reference reads them.
-- Timestamps have no zone and are UTC, as in schema public.

CREATE TABLE ccx.catalogues (
    version      text NOT NULL,
    rules_sha256 bytea NOT NULL,
    rules        text[] NOT NULL,
    stored_at    timestamp without time zone NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    PRIMARY KEY (version, rules_sha256)
);
COMMENT ON TABLE ccx.catalogues IS 'versions of the rule catalogue, each with the modules of all its rules; kept as long as a report names it';
COMMENT ON COLUMN ccx.catalogues.rules_sha256 IS 'of the list: a version that comes with another list is another catalogue, so that nobody changes what an older report was made with';

CREATE TABLE ccx.report_facts (
    org_id                 integer NOT NULL,
    cluster                character(36) NOT NULL,
    updated_at             timestamp without time zone NOT NULL,
    request_id             text NOT NULL,
    last_checked           timestamp without time zone NOT NULL,
    gathered_at            timestamp without time zone,
    cluster_version        text,
    catalogue_version      text,
    catalogue_rules_sha256 bytea,
    did_not_run            jsonb,
    skipped                jsonb,
    PRIMARY KEY (org_id, cluster, updated_at)
);
CREATE INDEX report_facts_request ON ccx.report_facts (request_id) WHERE request_id <> '';
COMMENT ON TABLE ccx.report_facts IS 'what new_reports drops of a report: its request, its times, and which rules say nothing in it and why';
COMMENT ON COLUMN ccx.report_facts.updated_at IS 'with org_id and cluster the primary key of the row in new_reports';
COMMENT ON COLUMN ccx.report_facts.request_id IS 'empty when the message had none';
COMMENT ON COLUMN ccx.report_facts.gathered_at IS 'when the operator gathered the archive; NULL where the message does not say';
COMMENT ON COLUMN ccx.report_facts.catalogue_version IS 'with catalogue_rules_sha256 the primary key of ccx.catalogues; NULL: another pipeline made the report';
COMMENT ON COLUMN ccx.report_facts.did_not_run IS 'rules that did not run, by module: {"reason", "details"}, the reason one of ours; NULL for none. The report says nothing of their issues';
COMMENT ON COLUMN ccx.report_facts.skipped IS 'rules that ran into something missing, by module: {"reason", "details"}, the details say which input; NULL for none. Their issues are not there';
