-- Dead messages, and those of unknown outcome, that a person is done with: they no longer count as open.
ALTER TABLE ccx.notification_outbox
    ADD COLUMN discarded_at timestamp,
    ADD COLUMN discard_note text;
COMMENT ON COLUMN ccx.notification_outbox.discarded_at IS 'When a person said that nobody needs to look at it any more; its issues are told again when their cooldown ends.';
