-- Receivers of the operator's own: what their pauses need beyond those of the two targets of the platform.

ALTER TABLE ccx.notification_targets
    ADD COLUMN gone_since timestamp,
    ADD COLUMN gone_attempts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN ccx.notification_targets.gone_since IS 'First of the attempts since anything was delivered that were answered with 410: it is not there any more.';
COMMENT ON COLUMN ccx.notification_targets.gone_attempts IS 'How many; after three over an hour it is paused until a person resumes it: paused_until is the end of the year 9999.';
