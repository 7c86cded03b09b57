-- The foreign key goes with the column.

ALTER TABLE reported DROP COLUMN IF EXISTS event_type_id;
