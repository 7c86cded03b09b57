-- The list of places that a notification can go to.

CREATE TABLE IF NOT EXISTS event_targets (
    id       integer NOT NULL,
    name     varchar NOT NULL UNIQUE,
    metainfo varchar NOT NULL UNIQUE,
    PRIMARY KEY (id)
);
