/** Limits of ingress. The operator refuses to send 10 MiB of archive and gives up after 60 s (ingress.md B.3). */

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Becomes a storage key, a Kafka value and a URL; a gateway's are 32 characters. */
export const requestIdCharactersMax = 128;

/**
 * Everything of a form that is not the chosen file: boundaries, part headers, values, other parts. So much of values Go's parser takes with
 * the reference's `MaxUploadMem`; here they are read and thrown away.
 */
export const formOverheadBytesMax = 18 * mebibyte;
/** Go's limit (1000 parts pass, more are a bad form). */
export const partsMax = 1000;
/** One part's headers; a genuine part has two short lines. */
export const partHeaderBytesMax = 16 * kibibyte;
/** A boundary and its line end, or a line before the first boundary: Go's buffer. */
export const boundaryLineBytesMax = 4 * kibibyte;
/** RFC 2046 says 70; the operator's has 60. */
export const boundaryCharactersMax = 200;
/** It becomes part of the announcement, where a byte may become six (`\u003c`), and Kafka takes messages up to 1 MB. */
export const metadataBytesMax = 128 * kibibyte;
/** No body is gathered by the HTTP server itself: the steps of an upload read it, and nobody else has one. */
export const gatheredBodyBytesMax = 1;
/** A connectivity check's whole body; a genuine one has 20 bytes. It is read before there is a slot for it. */
export const testBodyBytesMax = 4 * kibibyte;

/** No rate is asked for during the first seconds of waiting for a client. */
export const bodyFirstMsMax = 5_000;
/** Then as much as brings an ordinary archive (60 KiB) within the 60 s that the operator gives it. */
export const leastBytesPerSecond = kibibyte;
/** A client that has sent fast may fall silent for so long; the whole request has 60 s (platform/http). */
export const bodyIdleMsMax = 20_000;
/** How often clients that are waited for are looked at: one timer for all of them. */
export const sweepBodiesEveryMs = 1_000;

/** After a refusal so much is still read and thrown away, because a client that is still writing does not see the answer otherwise. */
export const drainBytesMax = 16 * mebibyte;
export const drainMsMax = 5_000;
/** The same of a body that is no form: a genuine test's ends long before. */
export const noFormDrainBytesMax = 64 * kibibyte;
/** The same under overload, when reading is what we cannot afford. */
export const overloadDrainBytesMax = mebibyte;

/** Uploads that are worked on at once; each has two buffers of 64 KiB and writes to the disk. */
export const concurrentUploadsMax = 64;
/** Admitted uploads per slot, most of which wait for their clients: each holds a connection and a file. */
export const admittedPerSlotMax = 4;
/** So much of a form has arrived, or all of it, before it gets a slot. */
export const uploadArrivedBytesMin = 16 * kibibyte;
/** How long an upload waits for a slot before it is answered 503; the operator waits 60 s for its answer. */
export const uploadQueueMsMax = 20_000;
export const retryAfterSeconds = 30;

/** Connections of the web listener at once: a thousand slow clients, and as many good ones beside. Each costs some 20 KiB. */
export const webConnectionsMax = 2_000;
export const crowdCheckedEveryMs = 1_000;
/** Connections get this share of the process's descriptors at most: uploads and downloads need files beside them. */
export const connectionsDescriptorShare = 0.5;

/** From the last byte of the form until the object is durable; leaves the operator's 60 s some room. */
export const stageMsMax = 45_000;
/** How long the bus may take to acknowledge before the announcement is kept in the outbox. */
export const announceMsMax = 5_000;

/** Announcements that may wait for the bus: a day of a fleet of a thousand clusters at two-hour intervals. */
export const outboxEntriesMax = 12_000;
export const outboxBytesMax = 64 * mebibyte;
export const relayEveryMs = 1_000;
export const relayRecordsMax = 100;
/** How often the outbox is looked through for announcements of processes that are gone. */
export const orphanScanEveryMs = 20_000;
/** A living owner sends its own within seconds once the bus works; what is still there after this time of a working bus has none. */
export const orphanAfterMs = 60_000;
/** Stopping waits so long for what the bus has not taken yet; one cleanup has 10 s, and a send in flight may take five of them. */
export const stopFlushMsMax = 3_000;

/** Distinct values of the `useragent` label; the next ones are counted as `other`. */
export const userAgentsMax = 100;
export const userAgentCharactersMax = 120;

export const linkLifetimeMs = 24 * 3_600_000;
export const signingKeyBytes = 32;
/** A wrong signature makes us look whether another process has made a key; not more often than this. */
export const signingKeyReloadMs = 1_000;

export const trackerAnswerBytesMax = 4 * mebibyte;

export const tokenFileBytesMax = 16 * mebibyte;
export const tokenFileCheckedEveryMs = 15_000;

/** Of the announcement topic on the embedded bus: so many data pipelines can share the work. The hosted topic has 64. */
export const announcePartitions = 8;
/** The hosted status topic has as many. */
export const statusPartitions = 3;

/** How long the database may take to say whose a cluster is; the operator waits a minute for its answer. */
export const ownerLookupMsMax = 5_000;
/** Connections for that; a look-up takes less than a millisecond. */
export const recordsConnectionsMax = 4;
/** Owners that are known without the database; one is about 150 bytes. */
export const rememberedOwnersMax = 100_000;
/** What `ccx clusters list` shows at most. */
export const listedClustersMax = 100_000;
