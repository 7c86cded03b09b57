-- What --db-drop-tables does. No IF EXISTS and no CASCADE: from step 5 on it fails because read_errors refers to new_reports.

DROP TABLE migration_info;

DROP TABLE new_reports;

DROP TABLE reported;

DROP TABLE notification_types;

DROP TABLE states;
