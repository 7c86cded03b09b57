/**
 * Topic `platform.notifications.ingress`, the "Action" form, header `rh-message-id` equal to `id`.
 * Produced by: notification service (hop 11) → consumed by: notifications backend. Source: notification-service.md 9.2, consumers.md 1.2.
 */
export interface NotificationMessage {
  readonly id: string;
  readonly bundle: 'openshift';
  readonly application: 'advisor';
  readonly event_type: 'new-recommendation';
  /** Decision time, UTC, RFC 3339, trailing zeros of the fraction removed. */
  readonly timestamp: string;
  readonly account_id: string;
  readonly org_id: string;
  readonly events: readonly NotificationEvent[];
  readonly context: { readonly display_name: string; readonly host_url: string };
}

export interface NotificationEvent {
  readonly metadata: Readonly<Record<string, never>>;
  readonly payload: {
    /** UTC and never in the future: the e-mail connector throws otherwise. */
    readonly publish_date: string;
    readonly rule_description: string;
    readonly rule_url: string;
    /** `"1"` to `"4"`, a string: the e-mail template matches text. */
    readonly total_risk: string;
  };
}
