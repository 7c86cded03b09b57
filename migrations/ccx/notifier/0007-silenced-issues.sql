-- What acknowledgements (ccx.acknowledgements) silence: the end of one ends the cooldown of its issues. An older release beside this one
-- knows of no acknowledgement, and writes neither column.
ALTER TABLE ccx.notification_ledger
    ADD COLUMN acknowledgement_id uuid,
    ADD COLUMN silenced_at timestamp;
COMMENT ON COLUMN ccx.notification_ledger.acknowledgement_id IS 'The acknowledgement that silenced it when it was decided last; NULL: none.';
COMMENT ON COLUMN ccx.notification_ledger.silenced_at IS 'When it was last decided that an acknowledgement silences it, or did until then: a clock that started before has ended.';
