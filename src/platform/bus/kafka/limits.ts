/** Limits of the Kafka adapter. Waiting times are the client's patience; a call that is cut off is tried again until its own deadline. */

/** From `send` to the broker's acknowledgement, all tries together. Ingress answers its client within 60 s and needs time for its own fall-back. */
export const deliveryMsDefault = 30_000;
/** Session of a group member; the reference's value. */
export const sessionMsDefault = 10_000;
export const heartbeatsPerSession = 3;
/** How long a rebalance waits for members that are busy; the reference's value. */
export const rebalanceMsMax = 60_000;
/** TCP, TLS and login together. */
export const connectMsMax = 5_000;
/**
 * Brokers say how long a login holds (5 to 60 minutes as a rule). After this share of it another connection is made, and from the second
 * one on nothing is sent on the old one: a request counts when the broker reads it, which may be a little later.
 */
export const loginRenewedShare = 0.75;
export const loginUsedShareMax = 0.9;
/** One request, unless its caller has less time. */
export const requestMsMax = 30_000;
/** One try of a batch: a broker that hangs leaves time for another one before the delivery deadline. */
export const produceMsMax = 10_000;
/** A broker that is asked to wait for members or records needs this much longer to answer. */
export const answerMarginMs = 5_000;
/** Requests under way per connection: one per partition at most, of which the brokers have many. */
export const inflightsMax = 64;

/** Leaders and partitions are asked again after this time, besides whenever a broker says that they changed. */
export const metadataMsMax = 10_000;
/** A topic that was just made may be unknown to a broker for a moment. */
export const unknownTopicMsMax = 1_000;
/** And one that brokers make because it was asked for, for longer. */
export const topicMadeMsMax = 3_000;
/** Pause before a try is repeated: short at first, because most failures are a leader that moves. */
export const retryMsMin = 50;
export const retryMsMax = 1_000;

/** Records of one batch. Below the brokers' limit of a batch (message.max.bytes, 1 048 588) with room for framing. */
export const batchBytesMax = 1_000_000;
/** What a record costs in a batch beside its bytes, at most: lengths, deltas, attributes. */
export const recordFramingBytesMax = 40;
export const headerFramingBytesMax = 10;

/** How long a broker holds a fetch that finds nothing. */
export const fetchWaitMs = 500;
/** The same while a partition of that broker is left out, for want of room say: it must not wait for another one's next record. */
export const partialFetchWaitMs = 25;
/** One answer to a fetch, unless less is left of the consumer's buffer. */
export const fetchBytesMax = 8 * 1024 * 1024;
export const fetchPartitionBytesMax = 1024 * 1024;

/** Failing without a break for this long is told to whoever polls; less is a leader or coordinator that moves. */
export const troubleMsMin = 5_000;
/** Leaving a group in good order; past it the session ends by itself. */
export const leaveMsMax = 3_000;
/** A topic that was made is waited for until its partitions have leaders. */
export const topicReadyMsMax = 30_000;
/** A first assignment: past it `createConsumer` fails. A rebalance may wait for every other member of the group. */
export const firstJoinMsMax = rebalanceMsMax + answerMarginMs;
/** How long a member of a group that begins at the newest record waits for its leader to store where that is. */
export const groupBeginMsMax = 5_000;
/** Storing positions, with every coordinator that moves and every rebalance in between. */
export const commitMsMax = 30_000;
