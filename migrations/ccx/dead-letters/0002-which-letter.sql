-- Offsets begin again with a topic that was deleted and made again: its letters are not those that were handled before.
ALTER TABLE ccx.dead_letter_handled ADD COLUMN timestamp_ms bigint;
COMMENT ON COLUMN ccx.dead_letter_handled.timestamp_ms IS 'Of the dead letter, since 1970, which tells it from another at the same offset; NULL where an earlier release handled it.';
COMMENT ON TABLE ccx.dead_letter_handled IS 'dead letters that a person replayed or discarded; kept as long as the letter is on its topic';
