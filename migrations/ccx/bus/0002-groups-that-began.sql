-- A group that is told to start at the newest record does so once, when it begins. What comes later (a topic that is made, or made again)
-- holds only what nobody has read, so that it is read from its beginning; positions alone do not say so, because they go with their topic.
ALTER TABLE ccx.bus_groups ADD COLUMN began boolean NOT NULL DEFAULT false;
UPDATE ccx.bus_groups AS g SET began = true
 WHERE EXISTS (SELECT FROM ccx.bus_positions AS p WHERE p.group_id = g.group_id AND p.committed IS NOT NULL);
COMMENT ON COLUMN ccx.bus_groups.began IS 'Whether where to start has been decided for everything that the group read then.';
