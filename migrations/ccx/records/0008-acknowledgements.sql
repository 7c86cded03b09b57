-- Rules that somebody disabled for a cluster or for an organization, with why, by whom and until when. Rows are never deleted: those that
-- are over are the history. Times have no zone and are UTC, by the clock of the database.

CREATE TABLE ccx.acknowledgements (
    id             uuid PRIMARY KEY,
    scope          text NOT NULL CHECK (scope IN ('cluster', 'organization')),
    org_id         integer NOT NULL,
    cluster        character(36),
    component      text NOT NULL,
    error_key      text CHECK (error_key <> ''),
    until          timestamp,
    until_resolved boolean NOT NULL DEFAULT false,
    justification  text NOT NULL DEFAULT '',
    by             text NOT NULL,
    made_at        timestamp NOT NULL,
    ended_at       timestamp,
    ended_reason   text CHECK (ended_reason IN ('date', 'removed', 'resolved')),
    ended_by       text,
    followed       boolean NOT NULL DEFAULT false,
    over_somewhere boolean NOT NULL DEFAULT false,
    CHECK ((scope = 'cluster') = (cluster IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (ended_reason IS NULL))
);
CREATE UNIQUE INDEX acknowledgements_in_force ON ccx.acknowledgements (org_id, coalesce(cluster, ''), component, coalesce(error_key, ''))
    WHERE ended_at IS NULL;
CREATE INDEX acknowledgements_scope ON ccx.acknowledgements (org_id, cluster) WHERE ended_at IS NULL;
CREATE INDEX acknowledgements_dated ON ccx.acknowledgements (until) WHERE ended_at IS NULL AND until IS NOT NULL;
CREATE INDEX acknowledgements_unfollowed ON ccx.acknowledgements (id) WHERE NOT followed OR over_somewhere;
CREATE INDEX acknowledgements_made ON ccx.acknowledgements (made_at, id);
CREATE INDEX acknowledgements_cluster ON ccx.acknowledgements (cluster, made_at) WHERE cluster IS NOT NULL;
COMMENT ON TABLE ccx.acknowledgements IS 'Rules that somebody disabled. Written by ccx acks and the read API; its end by date, or because it is resolved, by the notification service.';
COMMENT ON COLUMN ccx.acknowledgements.org_id IS 'Of the cluster, too: a cluster that goes to another organization takes none along.';
COMMENT ON COLUMN ccx.acknowledgements.component IS 'As issues name it: the module of the rule and .report.';
COMMENT ON COLUMN ccx.acknowledgements.error_key IS 'NULL: every key of the rule.';
COMMENT ON COLUMN ccx.acknowledgements.until IS 'When it ends; NULL: not by date.';
COMMENT ON COLUMN ccx.acknowledgements.until_resolved IS 'It ends when what it silences is resolved; of an organization in each cluster by itself, and as a whole with the last one.';
COMMENT ON COLUMN ccx.acknowledgements.ended_at IS 'NULL while it is in force, unless until has passed.';
COMMENT ON COLUMN ccx.acknowledgements.ended_by IS 'Who removed it; NULL where it ended by itself.';
COMMENT ON COLUMN ccx.acknowledgements.followed IS 'Whether the notification service has made due what it concerns since it was made, changed or ended.';
COMMENT ON COLUMN ccx.acknowledgements.over_somewhere IS 'Of an organization: it has ended in a cluster since it was last looked whether one is left.';

-- Where an acknowledgement of an organization is over already, because what it silenced was resolved there.
CREATE TABLE ccx.acknowledgement_ends (
    acknowledgement_id uuid NOT NULL REFERENCES ccx.acknowledgements,
    cluster            character(36) NOT NULL,
    ended_at           timestamp NOT NULL,
    PRIMARY KEY (cluster, acknowledgement_id)
);
CREATE INDEX acknowledgement_ends_acknowledgement ON ccx.acknowledgement_ends (acknowledgement_id);
COMMENT ON TABLE ccx.acknowledgement_ends IS 'clusters in which an acknowledgement of an organization that lasts until it is resolved is over; written by the notification service';
