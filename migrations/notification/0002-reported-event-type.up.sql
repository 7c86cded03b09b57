-- Nullable for now: rows of before are filled in step 4. The constraint gets its name from PostgreSQL: reported_event_type_id_fkey.

ALTER TABLE reported ADD COLUMN IF NOT EXISTS event_type_id integer REFERENCES event_targets (id);
