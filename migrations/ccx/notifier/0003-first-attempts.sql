-- A message is composed from what is true at its first attempt, and is taken as sent only from where sending began. An older release
-- beside this one writes none of these columns: what it leaves behind is read as it always was.

ALTER TABLE ccx.notification_outbox
    ADD COLUMN first_attempt_at timestamp,
    ADD COLUMN untried_lease uuid,
    ADD COLUMN paused_before bigint;
COMMENT ON COLUMN ccx.notification_outbox.first_attempt_at IS 'When it was first sent; its windows and the time in its body count from it. NULL before, and where an older release sent it.';
COMMENT ON COLUMN ccx.notification_outbox.untried_lease IS 'lease_token of a claim under which nothing was sent yet: a claim that ended without its process and is not this one may have been sent.';
COMMENT ON COLUMN ccx.notification_outbox.paused_before IS 'paused_micros of its target at its first attempt: what is added to that later does not count towards its retry window.';
COMMENT ON COLUMN ccx.notification_outbox.last_attempt_at IS 'The queue goes by it, those never tried first: nobody who fails again and again stands before others.';

ALTER TABLE ccx.notification_ledger ADD COLUMN state_before text;
COMMENT ON COLUMN ccx.notification_ledger.state_before IS 'State before it became pending, to which it goes back when its message is withdrawn.';

ALTER TABLE ccx.notification_targets ADD COLUMN paused_micros bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ccx.notification_targets.paused_micros IS 'Length of all its pauses together, in microseconds.';

CREATE INDEX notification_outbox_queue ON ccx.notification_outbox (event_type_id, last_attempt_at NULLS FIRST, next_attempt_at, cluster, id)
    WHERE next_attempt_at IS NOT NULL;
