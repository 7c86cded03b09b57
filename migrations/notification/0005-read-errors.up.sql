-- Reports that could not be read, several errors each.

CREATE TABLE IF NOT EXISTS read_errors (
    error_id   serial NOT NULL,
    org_id     integer NOT NULL,
    cluster    character(36) NOT NULL,
    updated_at timestamp NOT NULL,
    error_text varchar(1000) NOT NULL,
    created_at timestamp NOT NULL,
    PRIMARY KEY (error_id),
    UNIQUE (error_id, org_id, cluster, updated_at),
    FOREIGN KEY (org_id, cluster, updated_at) REFERENCES new_reports (org_id, cluster, updated_at)
);
