/** Limits of the Kafka adapter. Waiting times are the client's; a call that is cut off is tried again until its own deadline. */

/** From `send` to the broker's acknowledgement, all tries together. Ingress answers its client within 60 s and needs time for its own fall-back. */
export const deliveryMsDefault = 30_000;
/** How long a rebalance waits for members that are busy; the reference's value. */
export const rebalanceMsMax = 60_000;
/** One request, unless its caller has less time. */
export const requestMsMax = 30_000;
/** A broker that is asked to wait for members or records needs this much longer to answer. */
export const answerMarginMs = 5_000;

/** A topic that was just made may be unknown to a broker for a moment. */
export const unknownTopicMsMax = 1_000;
/** Pause before a try is repeated: short at first, because most failures are a leader that moves. */
export const retryMsMin = 50;
export const retryMsMax = 1_000;

/** How long a broker holds a fetch that finds nothing. */
export const fetchWaitMs = 500;
/** One answer to a fetch, unless less is left of the consumer's buffer. */
export const fetchBytesMax = 8 * 1024 * 1024;
export const fetchPartitionBytesMax = 1024 * 1024;

/** Failing without a break for this long is told to whoever polls; less is a leader or coordinator that moves. */
export const troubleMsMin = 5_000;
/** A first assignment: past it `createConsumer` fails. A rebalance may wait for every other member of the group. */
export const firstJoinMsMax = rebalanceMsMax + answerMarginMs;
