-- Finished messages as people list them: by state and the moment of their decision. An unfinished one is in none of its entries, so a
-- message costs one entry when it ends.
CREATE INDEX notification_outbox_listing ON ccx.notification_outbox (state, decided_at DESC, id DESC) WHERE finished_at IS NOT NULL;
