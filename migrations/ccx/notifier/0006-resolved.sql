-- What a message says of its issues. An older release beside this one takes a message about a resolved issue for one about an issue that is
-- gone, and withdraws it: then nobody is notified that it is resolved.

ALTER TABLE ccx.notification_outbox
    ADD COLUMN about text NOT NULL DEFAULT 'issues' CHECK (about IN ('issues', 'resolved'));
COMMENT ON COLUMN ccx.notification_outbox.about IS 'issues: that they are there; resolved: that its one issue is not any more. It is composed right before it is sent, and has neither a row in reported nor a cooldown.';
