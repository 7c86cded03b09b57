-- A plain insert: it fails if the rows are there, which tells a version number that was lost.

INSERT INTO event_targets (id, name, metainfo)
VALUES (1, 'notifications backend', 'the target of the report is the ccx notification service back end'),
       (2, 'service log', 'the target of the report is the ServiceLog');
