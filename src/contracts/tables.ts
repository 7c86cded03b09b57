/**
 * The notification database as everybody shares it: schema `public`, version 8. Schema `ccx` is ours alone.
 * Written by: notification writer (`new_reports`), notification service (`reported`, `read_errors`). Source: notification-writer.md 5.
 */

/** Seed rows of `states`. */
export const STATE_SENT = 1;
export const STATE_SAME = 2;
export const STATE_LOWER = 3;
export const STATE_ERROR = 4;

/** Seed rows of `event_targets`. */
export const TARGET_NOTIFICATIONS_BACKEND = 1;
export const TARGET_SERVICE_LOG = 2;

/** Seed rows of `notification_types`. */
export const NOTIFICATION_TYPE_INSTANT = 1;

/** `NOTIFY` channel: the writer has committed reports, or somebody an acknowledgement. A hint without payload; whoever waits for reports polls as well. */
export const CHANNEL_REPORT_STORED = 'ccx_report_stored';

/** Reports, as far as notifications need them. Written by: notification writer → read by: notification service. */
export const TABLE_NEW_REPORTS = 'new_reports';
/** What was notified, what was looked at and held nothing new, what failed. Written by: notification service → read by: whoever asks. */
export const TABLE_REPORTED = 'reported';

/** Reports that could not be read. Written by: notification service → read by: whoever asks. */
export const TABLE_READ_ERRORS = 'read_errors';

/** What the notification service remembers, beside `reported`; each is described in its migration. Written and read by: notification service. */
export const TABLE_NOTIFICATION_LEDGER = 'ccx.notification_ledger';
export const TABLE_NOTIFICATION_CONSIDERED = 'ccx.notification_considered';
export const TABLE_NOTIFICATION_OUTBOX = 'ccx.notification_outbox';
export const TABLE_NOTIFICATION_SENT_ROWS = 'ccx.notification_sent_rows';
export const TABLE_NOTIFICATION_DISABLED_SCOPES = 'ccx.notification_disabled_scopes';
/**
 * Its `event_type_id` is `event_targets.id` for our two targets. Receivers have ids from 1000, the largest there ever was and one more:
 * their rows are never deleted, so that no id is used again, and none of them is called as one of the two.
 */
export const TABLE_NOTIFICATION_TARGETS = 'ccx.notification_targets';
/** Alerts that a silence in Alertmanager covers. Written by: notification service → read by: `ccx explain`. */
export const TABLE_ALERTMANAGER_SILENCES = 'ccx.alertmanager_silences';

/** Up to where the messages of each partition are stored. Written and read by: notification writer. */
export const TABLE_STORED_POSITIONS = 'ccx.stored_positions';
/**
 * What earlier releases kept of each message that they stored, and its request; it only gets emptier. Read by: notification writer, notification
 * service, `ccx trace`.
 */
export const TABLE_STORED_MESSAGE = 'ccx.stored_message';
/**
 * What a stored report says beyond its text in `new_reports`: its request, by which a repeat is recognised, its hops 7 and 8, and what did
 * not run; the rule catalogues that made reports, and the lists of rules that were skipped; set `records`. Written by: notification
 * writer → read by: notification writer, notification service, payload tracker, `ccx trace`. Code: `platform/records/`.
 */
export const TABLE_REPORT_FACTS = 'ccx.report_facts';
export const TABLE_CATALOGUES = 'ccx.catalogues';
export const TABLE_SKIPPED_RULES = 'ccx.skipped_rules';
/**
 * Clusters, their issues as their reports say, and what happened to those; set `records`. Written by: notification service (all), notification
 * writer (when a cluster reported last), `ccx clusters` → read by: notification service, `ccx explain`, `ccx clusters`.
 */
export const TABLE_CLUSTERS = 'ccx.clusters';
export const TABLE_ISSUES = 'ccx.issues';
export const TABLE_ISSUE_EVENTS = 'ccx.issue_events';
/** The cooldown in force of each target. Written by: notification service → read by: whoever deletes old rows of `reported`. */
export const TABLE_COOLDOWNS = 'ccx.cooldowns';
/** Our tables that lose their meaning with rows of `new_reports`, and with rows of `reported`; who empties one of those empties these too. */
export const COMPANIONS_OF_NEW_REPORTS: readonly string[] = [
  TABLE_STORED_MESSAGE,
  TABLE_STORED_POSITIONS,
  TABLE_REPORT_FACTS,
  TABLE_CATALOGUES,
  TABLE_SKIPPED_RULES,
];
export const COMPANIONS_OF_REPORTED: readonly string[] = [
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_SENT_ROWS,
];
/** Rules disabled for a cluster and for an organization, in the results aggregator's database. Written by: smart proxy → read by: notification service. */
export const TABLE_CLUSTER_RULE_TOGGLE = 'cluster_rule_toggle';
export const TABLE_RULE_DISABLE = 'rule_disable';
/** Which organization a cluster belongs to. Written by: ingress, `ccx clusters move` → read by: ingress, notification service. */
export const TABLE_CLUSTER_OWNERS = 'ccx.cluster_owners';
/** Running instances. Written by: every role that has a database → read by: `ccx roles`. Code: `platform/records/role-record.ts`. */
export const TABLE_ROLES = 'ccx.roles';
/** Changes by people. Written by: `ccx` commands, read API, console → read by: `ccx audit`. Code: `platform/records/audit.ts`. */
export const TABLE_AUDIT = 'ccx.audit';
/**
 * Rules that somebody disabled for a cluster or an organization, and where one of an organization is over already. Written by: `ccx acks`,
 * read API, notification service (ends) → read by: notification service, whoever asks. Code: `platform/records/acknowledgements.ts`.
 */
export const TABLE_ACKNOWLEDGEMENTS = 'ccx.acknowledgements';
export const TABLE_ACKNOWLEDGEMENT_ENDS = 'ccx.acknowledgement_ends';
/** What happened to each request. Written and read as `trace-event.ts` says. */
export const TABLE_TRACE = 'ccx.trace';

/** The two targets of the platform, which `event_targets` knows. */
export type PlatformTargetName = 'notification-backend' | 'service-log';
/** Where notifications go, as configuration, metrics and logs name it: a target of the platform, or a receiver by the name that it was given. */
export type TargetName = PlatformTargetName | (string & {});

/** Receivers are numbered from here; what is below belongs to `event_targets`, and has rows in `reported`. */
export const RECEIVER_IDS_FROM = 1_000;

/** Of a receiver the ledger alone is the record: `reported` and `event_targets` belong to others, and get no row of it. */
export function isReceiver(eventTargetId: number): boolean {
  return eventTargetId >= RECEIVER_IDS_FROM;
}

/** `paused_until` of a receiver that only a person starts again. */
export const HELD_UNTIL = '9999-12-31 00:00:00';
