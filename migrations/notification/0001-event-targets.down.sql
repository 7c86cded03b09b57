-- The column that refers to it went with step 2.

DROP TABLE event_targets;
