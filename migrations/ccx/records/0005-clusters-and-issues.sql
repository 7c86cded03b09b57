-- Clusters and their issues, whatever the targets: what is there, since when, and what happened to it. A row changes only where something
-- did: an open issue was seen with every report up to clusters.issues_report_at, and nothing is written for that.
-- Times of reports are updated_at of their rows in new_reports. Timestamps have no zone and are UTC, as in schema public.

CREATE TABLE ccx.clusters (
    org_id           integer NOT NULL,
    cluster          character(36) NOT NULL,
    name             text,
    version          text,
    last_report_at   timestamp NOT NULL,
    issues_report_at timestamp,
    low              integer NOT NULL DEFAULT 0,
    moderate         integer NOT NULL DEFAULT 0,
    important        integer NOT NULL DEFAULT 0,
    critical         integer NOT NULL DEFAULT 0,
    state            text NOT NULL DEFAULT 'reporting' CHECK (state IN ('reporting', 'stale', 'retired')),
    state_since      timestamp NOT NULL,
    PRIMARY KEY (org_id, cluster)
) WITH (fillfactor = 70);
-- Only columns that never change: every report updates the row.
CREATE INDEX clusters_cluster ON ccx.clusters (cluster);
COMMENT ON TABLE ccx.clusters IS 'clusters that have reported, for each organization that they reported for';
COMMENT ON COLUMN ccx.clusters.name IS 'That a person gave it.';
COMMENT ON COLUMN ccx.clusters.version IS 'Of OpenShift, in the newest report that says so.';
COMMENT ON COLUMN ccx.clusters.last_report_at IS 'The newest report that was stored.';
COMMENT ON COLUMN ccx.clusters.issues_report_at IS 'The newest report that the issues were compared with; whoever moves it forward writes their changes.';
COMMENT ON COLUMN ccx.clusters.low IS 'Open issues of total risk 1; moderate 2, important 3, critical 4.';
COMMENT ON COLUMN ccx.clusters.state IS 'stale: it has not reported for a while, its issues stay as they were; retired: a person said that it is gone, which closed them. The next report brings it back.';

CREATE TABLE ccx.issues (
    org_id        integer NOT NULL,
    cluster       character(36) NOT NULL,
    type          text NOT NULL,
    component     text NOT NULL,
    error_key     text NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'gone', 'resolved', 'rule-removed', 'cluster-retired')),
    total_risk    smallint,
    first_seen_at timestamp NOT NULL,
    appeared_at   timestamp NOT NULL,
    last_seen_at  timestamp,
    missed        integer NOT NULL DEFAULT 0,
    changed_at    timestamp NOT NULL,
    PRIMARY KEY (org_id, cluster, type, component, error_key)
) WITH (fillfactor = 80);
CREATE INDEX issues_rule ON ccx.issues (component, error_key);
CREATE INDEX issues_closed ON ccx.issues (changed_at) WHERE state NOT IN ('open', 'gone');
COMMENT ON TABLE ccx.issues IS 'issues of clusters as their reports say, whether or not anybody is notified of them';
COMMENT ON COLUMN ccx.issues.state IS 'gone: the newest report is without it; resolved: so many in a row were (issues.resolved_after); rule-removed: its rule is not in the catalogue any more; cluster-retired.';
COMMENT ON COLUMN ccx.issues.total_risk IS 'NULL where the rule content does not know it.';
COMMENT ON COLUMN ccx.issues.first_seen_at IS 'The first report with it, ever.';
COMMENT ON COLUMN ccx.issues.appeared_at IS 'The first report with it since it was closed last.';
COMMENT ON COLUMN ccx.issues.last_seen_at IS 'The newest report with it; NULL: clusters.issues_report_at.';
COMMENT ON COLUMN ccx.issues.missed IS 'Reports in a row that were without it, those not counted over which its rule did not run.';
COMMENT ON COLUMN ccx.issues.changed_at IS 'The report, or the moment, that gave it its state.';

CREATE TABLE ccx.issue_events (
    at                 timestamp NOT NULL,
    org_id             integer NOT NULL,
    cluster            character(36) NOT NULL,
    type               text,
    component          text,
    error_key          text,
    event              text NOT NULL CHECK (event IN ('appeared', 'gone', 'resolved', 'rule-removed', 'cluster-retired', 'notified',
                                                      'acknowledged', 'acknowledgement-over', 'stale')),
    event_type_id      integer,
    notification_id    uuid,
    acknowledgement_id uuid,
    detail             text
) PARTITION BY RANGE (at);
CREATE INDEX issue_events_cluster ON ccx.issue_events (cluster, at);
-- Takes what no month's partition takes: those are made by a notification service that may.
CREATE TABLE ccx.issue_events_default PARTITION OF ccx.issue_events DEFAULT;
COMMENT ON TABLE ccx.issue_events IS 'what happened to issues, one row each; rows are only added, and whole months go';
COMMENT ON COLUMN ccx.issue_events.at IS 'Of what a report says the time of that report, of a notification when it was delivered.';
COMMENT ON COLUMN ccx.issue_events.error_key IS 'With type and component the issue; NULL where it is the cluster to which it happened.';
COMMENT ON COLUMN ccx.issue_events.event_type_id IS 'Of a notification its target: event_targets.id.';

-- What an older release knew. It may go on beside this one: then the next report of each cluster says the rest.
DO $$
BEGIN
    IF to_regclass('new_reports') IS NOT NULL THEN
        INSERT INTO ccx.clusters (org_id, cluster, version, last_report_at, state_since)
        SELECT r.org_id, r.cluster, f.cluster_version, r.newest, r.newest
          FROM (SELECT org_id, cluster, max(updated_at) AS newest FROM new_reports
                 WHERE updated_at > 'epoch' AND updated_at < 'infinity' GROUP BY org_id, cluster) AS r
          LEFT JOIN ccx.report_facts AS f ON f.org_id = r.org_id AND f.cluster = r.cluster AND f.updated_at = r.newest;
    END IF;
    IF to_regclass('ccx.notification_ledger') IS NOT NULL THEN
        INSERT INTO ccx.clusters AS c (org_id, cluster, last_report_at, issues_report_at, state_since)
        SELECT org_id, cluster, max(report_updated_at), max(report_updated_at), max(report_updated_at)
          FROM ccx.notification_considered GROUP BY org_id, cluster
        ON CONFLICT (org_id, cluster) DO UPDATE
           SET issues_report_at = excluded.issues_report_at, last_report_at = greatest(c.last_report_at, excluded.last_report_at);

        INSERT INTO ccx.issues (org_id, cluster, type, component, error_key, state, first_seen_at, appeared_at, last_seen_at, missed, changed_at)
        SELECT i.org_id, i.cluster, i.type, i.component, i.error_key,
               CASE WHEN i.open THEN 'open' WHEN i.removed THEN 'rule-removed' ELSE 'resolved' END, i.first_seen, i.first_seen,
               CASE WHEN i.open THEN nullif(i.last_seen, c.issues_report_at) ELSE i.last_seen END, CASE WHEN i.open THEN 0 ELSE 1 END,
               CASE WHEN i.open THEN i.first_seen ELSE i.closed_at END
          FROM (SELECT l.org_id, l.cluster, l.type, l.component, l.error_key, bool_or(l.resolved_at IS NULL) AS open,
                       bool_and(l.last_reason = 'rule-removed') AS removed, min(l.first_seen_at) AS first_seen,
                       max(l.resolved_at) AS closed_at,
                       max(CASE WHEN l.resolved_at IS NULL AND l.last_reason <> 'rule-did-not-run' AND n.outcome <> 'unreadable'
                                THEN greatest(l.last_seen_at, n.report_updated_at) ELSE l.last_seen_at END) AS last_seen
                  FROM ccx.notification_ledger AS l
                  LEFT JOIN ccx.notification_considered AS n
                    ON n.event_type_id = l.event_type_id AND n.cluster = l.cluster AND n.org_id = l.org_id
                 WHERE l.first_seen_at > '-infinity'
                 GROUP BY l.org_id, l.cluster, l.type, l.component, l.error_key) AS i
          LEFT JOIN ccx.clusters AS c ON c.org_id = i.org_id AND c.cluster = i.cluster;
    END IF;
END $$;
