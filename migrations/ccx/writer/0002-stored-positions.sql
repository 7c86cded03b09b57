-- Up to where the messages of each partition are stored, in place of a row of ccx.stored_message for each of them: what lies at or behind a
-- position is new, and only what lies before it is looked up among the reports. Beside that a report's request, cluster and LastChecked
-- tell a repeat (ccx.report_facts.request_key).

CREATE TABLE ccx.stored_positions (
    topic        text NOT NULL,
    topic_id     text NOT NULL,
    partition    integer NOT NULL,
    batch_offset bigint NOT NULL,
    next_offset  bigint NOT NULL,
    moved_at     timestamp without time zone NOT NULL,
    PRIMARY KEY (topic, topic_id, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE ccx.stored_positions IS 'up to where the messages of a partition are stored; a hint: what lies before it is looked up among the reports';
COMMENT ON COLUMN ccx.stored_positions.topic_id IS 'Kafka''s or the embedded bus''s own: a topic that was deleted and made again is another one, and nothing of it is a repeat';
COMMENT ON COLUMN ccx.stored_positions.batch_offset IS 'where the batch began that moved it last';
COMMENT ON COLUMN ccx.stored_positions.moved_at IS 'UTC; rows that nobody has moved for long go';

-- What earlier releases stored still counts. They themselves do not know of positions and would store again what this one has stored: they
-- are told so, and wait, with the class of error that no message is given up for.
CREATE FUNCTION ccx.refuse_stored_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this database belongs to a newer release of the notification writer: stop this one, or update it'
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'newer releases keep what is stored in ccx.stored_positions and ccx.report_facts, which this one does not know';
END $$;
CREATE TRIGGER newer_release BEFORE INSERT ON ccx.stored_message
    FOR EACH STATEMENT EXECUTE FUNCTION ccx.refuse_stored_message();
COMMENT ON TABLE ccx.stored_message IS 'messages that earlier releases stored: only read, and emptied as their reports go';
