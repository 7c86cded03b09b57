-- For the lists of the read API: how many clusters of an organization have an issue of each rule, and which. Open issues only, which are
-- few beside all that there ever were.

CREATE INDEX issues_open ON ccx.issues (org_id, component, error_key, cluster) WHERE state = 'open';
