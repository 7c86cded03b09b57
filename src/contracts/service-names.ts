/** The roles of the `ccx` binary and the names that they announce themselves under in `platform.payload-status`. */
export const ROLES = ['ingress', 'data-pipeline', 'writer', 'notifier', 'content', 'tracker', 'all-in-one'] as const;
export type Role = (typeof ROLES)[number];

/** `service` field of status messages. Sources: ingress.md A.8, data-pipeline.md 6.2, notification-writer.md 2.3. */
export const STATUS_SERVICE_INGRESS = 'ingress';
export const STATUS_SERVICE_DATA_PIPELINE = 'ccx-data-pipeline';
export const STATUS_SERVICE_WRITER = 'ccx-notification-writer';
export const STATUS_SERVICE_NOTIFIER = 'ccx-notification-service';
