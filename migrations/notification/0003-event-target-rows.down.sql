-- Fails with the foreign key's name while reported still refers to one of them.

DELETE FROM event_targets;
