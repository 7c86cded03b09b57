/** Limits of the Kafka adapter. Waiting times are the client's patience; each call that is cut off is tried again until its own deadline. */

/** From `send` to the broker's acknowledgement, all tries together. Ingress answers its client within 60 s and needs time for its own fall-back. */
export const deliveryMsDefault = 30_000;
/** Session of a group member; the reference's value. */
export const sessionMsDefault = 10_000;
export const heartbeatsPerSession = 3;
/** How long a rebalance waits for members that are busy; the reference's value. */
export const rebalanceMsMax = 60_000;
