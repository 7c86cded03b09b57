-- Which organization a cluster belongs to, where uploads come with tokens: nobody else's report of that cluster counts.
CREATE TABLE ccx.cluster_owners (
    cluster      character(36) PRIMARY KEY,
    org_id       integer       NOT NULL,
    token_sha256 text,
    bound        boolean       NOT NULL DEFAULT false,
    since        timestamp     NOT NULL
);
COMMENT ON TABLE ccx.cluster_owners IS 'Organization that a cluster belongs to. Written by ingress with a token file and by ccx clusters move, read by ingress and the notification service; a cluster without a row belongs to nobody yet.';
COMMENT ON COLUMN ccx.cluster_owners.token_sha256 IS 'Hexadecimal SHA-256 of the token that brought the cluster; null where it came by an identity header, by an older report or by a person.';
COMMENT ON COLUMN ccx.cluster_owners.bound IS 'Whether the owner is settled by a token that is bound to this cluster, or by a person: an unbound one gives way to a bound token.';
COMMENT ON COLUMN ccx.cluster_owners.since IS 'UTC: when this organization became the owner; of an older report, when that was stored.';
