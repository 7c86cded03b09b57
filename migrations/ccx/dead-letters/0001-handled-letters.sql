-- What a person did with a dead letter. The letter itself stays in its topic until retention takes it.
CREATE TABLE ccx.dead_letter_handled (
  topic      text        NOT NULL,
  partition  integer     NOT NULL,
  "offset"   bigint      NOT NULL,
  action     text        NOT NULL CHECK (action IN ('replayed', 'discarded')),
  note       text        NOT NULL DEFAULT '',
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE ccx.dead_letter_handled IS 'dead letters that a person replayed or discarded';
