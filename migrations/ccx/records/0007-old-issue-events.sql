-- Where nobody may make a partition for each month, all events lie in this one, and old ones are deleted row by row, in the order of their age.
CREATE INDEX issue_events_default_age ON ccx.issue_events_default (at);
