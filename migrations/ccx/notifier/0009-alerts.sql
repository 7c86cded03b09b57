-- Alertmanagers are told levels: what is active is posted again and again, by one process at a time, and what they silence is read back. An
-- older release beside this one knows no such receiver, and reads and writes none of this.

ALTER TABLE ccx.notification_ledger ADD COLUMN told_as text;
COMMENT ON COLUMN ccx.notification_ledger.told_as IS 'Of an alert: total risk and category that it has in its labels, as 4/security. NULL: it never was one.';

ALTER TABLE ccx.notification_targets
    ADD COLUMN lease_token uuid,
    ADD COLUMN lease_until timestamp;
COMMENT ON COLUMN ccx.notification_targets.lease_token IS 'Of an Alertmanager: the process that posts to it. Another one does from lease_until on.';

CREATE TABLE ccx.alertmanager_silences (
    event_type_id integer NOT NULL,
    silence_id    text NOT NULL,
    org_id        integer NOT NULL,
    cluster       character(36) NOT NULL,
    rule          text NOT NULL,
    error_key     text NOT NULL,
    until         timestamp NOT NULL,
    by            text NOT NULL,
    comment       text NOT NULL,
    PRIMARY KEY (event_type_id, silence_id, org_id, cluster, rule, error_key)
);
CREATE INDEX alertmanager_silences_cluster ON ccx.alertmanager_silences (cluster);
COMMENT ON TABLE ccx.alertmanager_silences IS 'alerts of ours that a silence in Alertmanager covers, as it was read back last';
COMMENT ON COLUMN ccx.alertmanager_silences.rule IS 'As the label of the alert: the module, without .report.';
COMMENT ON COLUMN ccx.alertmanager_silences.until IS 'By the clock of Alertmanager.';
