-- What the notification service remembers. The tables reported, new_reports and read_errors of schema public stay the truth that others
-- share; these say what was decided, what is on its way, and which row of reported a notification was recorded with.
-- Timestamps have no zone and are UTC, as in schema public, so that they compare with reported.notified_at to the microsecond.

-- One row per target and issue.
CREATE TABLE ccx.notification_ledger (
    event_type_id    integer NOT NULL,
    org_id           integer NOT NULL,
    cluster          character(36) NOT NULL,
    type             text NOT NULL,
    component        text NOT NULL,
    error_key        text NOT NULL,
    state            text NOT NULL CHECK (state IN ('open', 'pending', 'notified', 'removed', 'dead', 'unknown')),
    first_seen_at    timestamp NOT NULL,
    last_seen_at     timestamp NOT NULL,
    resolved_at      timestamp,
    last_notified_at timestamp,
    clock_at         timestamp,
    reported_at      timestamp,
    notification_id  uuid,
    last_reason      text NOT NULL,
    decided_at       timestamp NOT NULL,
    next_eligible_at timestamp,
    PRIMARY KEY (event_type_id, org_id, cluster, type, component, error_key)
) WITH (fillfactor = 80);
COMMENT ON TABLE ccx.notification_ledger IS 'What is known of each issue for each target: seen, notified, resolved, and why it was or was not notified last.';
COMMENT ON COLUMN ccx.notification_ledger.event_type_id IS 'The target: event_targets.id.';
COMMENT ON COLUMN ccx.notification_ledger.state IS 'Of its last notification: open (none counts), pending (in the outbox), notified, removed (its row in reported is gone), dead, unknown (possibly arrived).';
COMMENT ON COLUMN ccx.notification_ledger.last_seen_at IS 'updated_at of the report that it was last written for; while it is there, it was seen when its cluster was considered last.';
COMMENT ON COLUMN ccx.notification_ledger.resolved_at IS 'When a report without it was considered; NULL while it is there.';
COMMENT ON COLUMN ccx.notification_ledger.clock_at IS 'Start of its cooldown: when it was delivered, given up, or listed as possibly arrived.';
COMMENT ON COLUMN ccx.notification_ledger.reported_at IS 'notified_at of the sent row in reported that it counts by; it counts only while that row is there.';
COMMENT ON COLUMN ccx.notification_ledger.next_eligible_at IS 'When the passing of time alone would let it be notified; NULL when it would not.';

-- One row per target and cluster: what was considered last, so that a report is read again only for a reason.
CREATE TABLE ccx.notification_considered (
    event_type_id     integer NOT NULL,
    cluster           character(36) NOT NULL,
    org_id            integer NOT NULL,
    report_updated_at timestamp NOT NULL,
    policy_hash       text NOT NULL,
    outcome           text NOT NULL CHECK (outcome IN ('issues', 'empty', 'unreadable', 'not-allowed')),
    filtered_report   text,
    render_error      text,
    next_due_at       timestamp,
    version           bigint NOT NULL,
    decided_at        timestamp NOT NULL,
    PRIMARY KEY (event_type_id, cluster)
) WITH (fillfactor = 80);
CREATE INDEX notification_considered_due ON ccx.notification_considered (event_type_id, next_due_at) WHERE next_due_at IS NOT NULL;
COMMENT ON COLUMN ccx.notification_considered.policy_hash IS 'Of the settings and the content outcome that it was decided with.';
COMMENT ON COLUMN ccx.notification_considered.filtered_report IS 'The report without disabled issues, as reported gets it; NULL when nothing in it is disabled.';
COMMENT ON COLUMN ccx.notification_considered.next_due_at IS 'When it is decided again although nothing changed: a cooldown ends, or something is to be repeated.';
COMMENT ON COLUMN ccx.notification_considered.version IS 'Counts decisions and outcomes; who read an older one must not write.';

-- The outgoing messages, each written in the transaction that decided it.
CREATE TABLE ccx.notification_outbox (
    id                 uuid PRIMARY KEY,
    event_type_id      integer NOT NULL,
    org_id             integer NOT NULL,
    account_number     integer NOT NULL,
    cluster            character(36) NOT NULL,
    report_updated_at  timestamp NOT NULL,
    decision_id        uuid NOT NULL,
    request_id         text,
    issues             json NOT NULL,
    headers            json NOT NULL,
    body               text NOT NULL,
    state              text NOT NULL CHECK (state IN ('pending', 'claimed', 'delivered', 'dead', 'unknown', 'withdrawn')),
    attempts           integer NOT NULL DEFAULT 0,
    may_have_arrived   boolean NOT NULL DEFAULT false,
    decided_at         timestamp NOT NULL,
    due_at             timestamp NOT NULL,
    next_attempt_at    timestamp,
    lease_token        uuid,
    run_id             uuid,
    run_deadline_at    timestamp,
    last_attempt_at    timestamp,
    delivered_at       timestamp,
    finished_at        timestamp,
    error_code         text,
    error_text         text,
    reported_at        timestamp,
    reported_run       uuid,
    retry_requested_at timestamp,
    replaced_by        uuid
) WITH (fillfactor = 70);
CREATE INDEX notification_outbox_due ON ccx.notification_outbox (event_type_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX notification_outbox_cluster ON ccx.notification_outbox (cluster, event_type_id);
CREATE INDEX notification_outbox_unfinished ON ccx.notification_outbox (event_type_id, cluster) WHERE finished_at IS NULL;
CREATE INDEX notification_outbox_finished ON ccx.notification_outbox (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX notification_outbox_listed ON ccx.notification_outbox (event_type_id, state) WHERE state IN ('dead', 'unknown');
CREATE INDEX notification_outbox_retry ON ccx.notification_outbox (retry_requested_at) WHERE retry_requested_at IS NOT NULL AND replaced_by IS NULL;
COMMENT ON COLUMN ccx.notification_outbox.decision_id IS 'Shared by the messages of one decision about one cluster.';
COMMENT ON COLUMN ccx.notification_outbox.may_have_arrived IS 'An attempt ended without an answer or with its process: only the same id, or a look-up, may follow.';
COMMENT ON COLUMN ccx.notification_outbox.due_at IS 'From when on it may be sent; later than decided_at where a first run is held back.';
COMMENT ON COLUMN ccx.notification_outbox.next_attempt_at IS 'When it may be claimed; of a claimed one the end of its lease; NULL when it is finished or only listed.';
COMMENT ON COLUMN ccx.notification_outbox.run_deadline_at IS 'Until when the one-shot run that claimed it first keeps trying.';
COMMENT ON COLUMN ccx.notification_outbox.reported_at IS 'notified_at of the row in reported that says it was sent.';

-- The sent rows of reported that the ledger has taken in, whoever wrote them.
CREATE TABLE ccx.notification_sent_rows (
    org_id        integer NOT NULL,
    cluster       character(36) NOT NULL,
    notified_at   timestamp NOT NULL,
    event_type_id integer NOT NULL,
    ours          boolean NOT NULL,
    PRIMARY KEY (org_id, cluster, notified_at)
);
CREATE INDEX notification_sent_rows_recent ON ccx.notification_sent_rows (event_type_id, notified_at);

-- Clusters and organizations with disabled rules, by a hash of their rules: a change makes their reports due again.
CREATE TABLE ccx.notification_disabled_scopes (
    kind       text NOT NULL CHECK (kind IN ('cluster', 'organization')),
    scope      text NOT NULL,
    rules_hash text NOT NULL,
    PRIMARY KEY (kind, scope)
);

-- What concerns a whole target: while it is paused nobody tries it.
CREATE TABLE ccx.notification_targets (
    event_type_id integer PRIMARY KEY,
    paused_until  timestamp,
    pause_code    text,
    pause_text    text
);
