-- The embedded message bus. Records themselves live in tables that the bus makes and drops at run time, one per topic and segment,
-- named ccx.bus_records_<topic_id>_<segment>: retention drops whole tables and never deletes row by row.

CREATE TABLE ccx.bus_topics (
    topic_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    partitions      integer NOT NULL CHECK (partitions > 0),
    retention_ms    bigint,
    retention_bytes bigint,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ccx.bus_topics IS 'Topics of the embedded bus. A topic that is deleted and made again gets a new id, so nothing of the old one clings to it.';
COMMENT ON COLUMN ccx.bus_topics.retention_ms IS 'Records older than this may be dropped; NULL is the adapter''s default.';
COMMENT ON COLUMN ccx.bus_topics.retention_bytes IS 'Oldest segments are dropped beyond this size; NULL is the adapter''s default.';

-- The row whose lock orders the producers of a partition. Low fill factor: it is updated by every batch, in place.
CREATE TABLE ccx.bus_partitions (
    topic_id     bigint NOT NULL REFERENCES ccx.bus_topics ON DELETE CASCADE,
    partition    integer NOT NULL,
    start_offset bigint NOT NULL DEFAULT 0,
    next_offset  bigint NOT NULL DEFAULT 0,
    segment      bigint NOT NULL,
    PRIMARY KEY (topic_id, partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE ccx.bus_partitions IS 'Offsets are taken under the lock of this row inside the producer''s transaction: gap-free, and visible in order.';
COMMENT ON COLUMN ccx.bus_partitions.start_offset IS 'Oldest offset still stored.';
COMMENT ON COLUMN ccx.bus_partitions.next_offset IS 'Offset that the next record gets.';
COMMENT ON COLUMN ccx.bus_partitions.segment IS 'Segment that takes new records; the same in all partitions of a topic.';

CREATE TABLE ccx.bus_segments (
    topic_id      bigint NOT NULL REFERENCES ccx.bus_topics ON DELETE CASCADE,
    segment       bigint NOT NULL,
    first_offsets bigint[] NOT NULL,
    opened_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at     timestamptz,
    PRIMARY KEY (topic_id, segment)
);
COMMENT ON COLUMN ccx.bus_segments.first_offsets IS 'First offset of each partition in this segment, in order of partition.';
COMMENT ON COLUMN ccx.bus_segments.closed_at IS 'When the next segment took over; no record in it is younger.';

CREATE TABLE ccx.bus_groups (
    group_id   text PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON COLUMN ccx.bus_groups.generation IS 'Counts every change of members or topics; a member that sees a new value looks at its assignment again.';

CREATE TABLE ccx.bus_members (
    member_id   uuid PRIMARY KEY,
    group_id    text NOT NULL REFERENCES ccx.bus_groups ON DELETE CASCADE,
    joined      bigint GENERATED ALWAYS AS IDENTITY,
    topics      text[] NOT NULL,
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX bus_members_group ON ccx.bus_members (group_id);
COMMENT ON COLUMN ccx.bus_members.lease_until IS 'A member that has not renewed by then is out of the group, whatever it believes.';

CREATE TABLE ccx.bus_positions (
    group_id  text NOT NULL REFERENCES ccx.bus_groups ON DELETE CASCADE,
    topic_id  bigint NOT NULL REFERENCES ccx.bus_topics ON DELETE CASCADE,
    partition integer NOT NULL,
    committed bigint,
    owner     uuid,
    PRIMARY KEY (group_id, topic_id, partition)
) WITH (fillfactor = 50);
CREATE INDEX bus_positions_topic ON ccx.bus_positions (topic_id);
COMMENT ON COLUMN ccx.bus_positions.committed IS 'Offset of the next record that the group has to process; NULL before the first commit.';
COMMENT ON COLUMN ccx.bus_positions.owner IS 'Member that may read and commit this partition; NULL while it changes hands.';
