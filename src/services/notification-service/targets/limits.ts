/** Limits of the two delivery targets. */

/**
 * Body of one Kafka message. The reference's producer and the brokers' default stop at about 1 MiB for key, value, headers and framing
 * together; this leaves room for those.
 */
export const notificationBytesMax = 1_000_000;
/** Description of one rule inside a message; a title has some hundred bytes. JSON may make six bytes of one, which still fits. */
export const ruleDescriptionBytesMax = 100_000;
/** An address inside a message; longer ones, from a report with absurd names, are replaced by the cluster's own. */
export const ruleUrlBytesMax = 8_192;
/** How long a send may take until its outcome counts as unknown; the bus goes on trying behind it. */
export const busSendMsMax = 30_000;

/** After "certainly not accepted": the caller adds its own back-off. */
export const retryAfterMs = 5_000;
/** Where no connection came about; nothing was sent, and trying costs next to nothing. The caller adds its own back-off. */
export const unreachableAfterMs = 1_000;
/** After an answer that was lost; time for the other side to finish what it may be doing. */
export const unknownAfterMs = 10_000;
/** A target, or a recipient, whose settings, credentials or permissions are wrong is tried again after this; somebody must act first. */
export const pausedMisconfiguredMs = 300_000;
/** A topic that is missing; made, it ends the pause before that. Longer than a one-shot run waits, which leaves it to the next one. */
export const pausedTopicMissingMs = 60_000;
/** A target whose token endpoint or secret store is away. */
export const pausedUnavailableMs = 60_000;
/** After 429 without a Retry-After. */
export const pausedLimitedMs = 60_000;
/** A Retry-After beyond this is taken for this; a one-shot run has ended long before. */
export const retryAfterMsMax = 3_600_000;

/** One Service Log call, unless the configuration says otherwise; the reference's shipped value. */
export const serviceLogCallMsDefault = 15_000;
/** Answers of Service Log: an entry, or one page of them. */
export const serviceLogAnswerBytesMax = 4 * 1024 * 1024;
/** Redirects within the same server that are followed; one adds or removes a slash. */
export const redirectsMax = 3;
/** Entries on one page of a look-up by content, and pages read. A cluster that gets more in a day has other troubles. */
export const lookUpPageSize = 100;
export const lookUpPagesMax = 5;
/** How far back a look-up by content searches; nothing of unknown outcome is tried again after 20 hours. */
export const lookUpMs = 24 * 3_600_000;
/** Text of an error answer that is repeated in our own error. */
export const answerReasonBytesMax = 200;

/** Pauses between tries at the token endpoint after 5xx; 15 s together, as the reference's library. */
export const tokenRetryPausesMs: readonly number[] = [1_000, 2_000, 4_000, 8_000];
/** One call to the token endpoint. */
export const tokenCallMsMax = 10_000;
export const tokenAnswerBytesMax = 256 * 1024;
/** A token is replaced this long before its end, so that it does not end on the way; short-lived ones after half their life. */
export const tokenMarginMs = 60_000;

/** One template over one issue; the hosted renderer's limit. */
export const renderMsMax = 5_000;
/** One rendering child; Node itself takes some 60 MB. */
export const renderChildBytesMax = 256 * 1024 * 1024;
/** Rendering children; rendering is a small part of a run. */
export const renderChildren = 1;
/** A child is replaced after so many texts, as the hosted renderer does. */
export const rendersPerChildMax = 1_000;
/** Texts asked for at once; more would only wait in the pool. */
export const rendersAtOnceMax = 8;
/** Compiled templates kept in a child: more than a rule set has. */
export const compiledTemplatesMax = 5_000;
/** A rendered text is cut to this before it leaves the child; Service Log takes 4000 bytes. */
export const renderedTextBytesMax = 16 * 1024;
/** A template that was stopped so many times in a row is not tried for a while: it would cost every cluster its full time. */
export const templateStopsMax = 3;
export const templateRestMs = 600_000;

/** One call to the remote renderer, as in the reference. */
export const remoteRenderMsMax = 10_000;
export const remoteRenderAnswerBytesMax = 16 * 1024 * 1024;
/** Single requests at once, after the renderer refused them together. */
export const remoteRendersAtOnceMax = 4;
