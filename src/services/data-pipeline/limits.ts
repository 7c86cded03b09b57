/** Limits of the data pipeline that are not configuration. Those that are have their defaults here, too. */

const second = 1_000;
const minute = 60 * second;
const mebibyte = 1024 * 1024;

/** Places, archives worked on at once: enough to hide download latency behind the rules, few enough to finish during a stop. */
export const inFlightArchivesDefault = 16;
/** Share of the places that one organization may hold: the rest is there for others at once, however slow its archives are. */
export const placesPerOrganizationShare = 0.75;
/** Share of the places that further attempts of downloads may hold: hosts that do not answer take 10 s each time. */
export const furtherAttemptsShare = 0.5;
/** Share of the packed bytes that the archives of one organization may reserve, beside at least one archive. */
export const bytesPerOrganizationShare = 0.5;

/**
 * Announcements read ahead of the places, some 20 MB: what one organization may have sent before another's announcement without delaying
 * it. What is behind more than that of the same partition is seen when those before it are done.
 */
export const readAheadRecordsMax = 10_000;
/** Bytes of their records; genuine announcements have 1 to 2 KB. */
export const readAheadBytesMax = 32 * mebibyte;
/** Records of one poll. */
export const pollRecordsMax = 500;

/** Different announcements whose downloads from a host must have failed in a row before it is left alone. */
export const hostFailuresMin = 3;
/** Hosts with failures that are remembered, beside those that are left alone. */
export const hostsRememberedMax = 1_000;
/** Longest pause before it is looked at again whether such a host is back. */
export const hostProbeMsMax = 10 * second;
/** Nothing was fetched for so long while as many announcements as there are places wait for hosts: the service is not ready. */
export const fetchSilenceMsMax = 10 * second;

/** CPU time of organizations is added up over so long for the warning about one that takes more than its share. */
export const usageWindowMs = 60 * second;
/** Less than this in the window is nobody's trouble. */
export const overShareCpuMsMin = 1 * second;
/** How much more than an equal share it must be. */
export const overShareFactor = 1.5;
/** The same organization is named again after so long. */
export const overShareRepeatMs = 60 * second;

/** Packed bytes held at once; must hold the largest archive, else that archive would wait for ever. */
export const inFlightBytesDefault = 256 * mebibyte;

/** Headers of the answer; a link to a host that does not answer is told soon. Source: data-pipeline.md 3.1. */
export const downloadAnswerMsDefault = 10 * second;
/** Silence within a body. Source: data-pipeline.md 3.1. */
export const downloadStallMsDefault = 60 * second;
/** A body has so long until a rate is asked for: one that trickles would hold a place for as long as a download may take. */
export const downloadSlowMsMax = 10 * second;
/** Then so much on average: at less, the largest archive that the operator sends, 10 MiB, does not come within the time of one download. */
export const downloadBytesPerSecondMin = 32 * 1024;
/** One download from request to last byte: 100 MiB at 350 kB/s. */
export const downloadMsDefault = 5 * minute;
/**
 * How long a download is tried again before the announcement is put aside, from its first attempt. Long enough for a restart of the object
 * store; announcements for a host that is left alone have no first attempt, so that a store that is away does not empty the topic.
 */
export const downloadRetryMsDefault = 15 * minute;
/** How often the deadlines of a download are looked at; an overrun is noticed at most this late. */
export const downloadWatchMs = 250;

/** Pause before a step is tried again; doubles with each attempt, with jitter. */
export const retryMsMin = 500;
export const retryMsMax = 30 * second;

/** One poll of the bus; a stop does not wait for it. */
export const pollWaitMs = 1 * second;
/** Pause after the bus refused a poll or a commit. */
export const busPauseMs = 1 * second;
/** Partitions are resumed once what was read ahead fell to this share of the maximum: fewer, larger polls. */
export const resumeShare = 0.75;

/**
 * Offsets of one partition that may be taken past one that is not done. It bounds what a crash repeats, and what has to be remembered,
 * while one archive is tried again and others pass by.
 */
export const uncommittedRecordsMax = 10_000;

/** Share of the stop's time that archives in flight get to finish; the rest is for commits and for closing. */
export const drainMsMax = 6 * second;

/** Two children on two cores; each holds at most one archive. */
export const runnersDefault = 2;
/** One archive: opening it and all rules. A genuine one takes 10 to 50 ms. */
export const archiveMsDefault = 60 * second;
/** One rule, or opening the archive. Keeps the blame with the rule that is slow. */
export const ruleMsDefault = 10 * second;
/** 100 MiB packed cost a child three times that while they arrive; plus 64 MiB unpacked, what the rules parse, and Node itself. */
export const runnerBytesDefault = 1024 * mebibyte;
/** Bounds what a leak in a rule can cost; a new child takes 0.1 to 0.2 s, next to another that works on. */
export const jobsPerRunnerMax = 1_000;

/** Rules that one archive may lose by kills before it is put aside: each costs up to the time limit of a rule. */
export const killedRulesPerArchiveMax = 8;
/** Facts that one archive may lose by kills: what may be parsed is bounded, so that a genuine one loses none. */
export const killedFactsPerArchiveMax = 2;
/** Attempts of an archive whose runner died outside any rule or fact: the second one tells an accident from a bad archive. */
export const unexplainedDeathsMax = 2;

/** How long a killed rule is left out. Source of the decision: README.md, "A rule that takes a runner down". */
export const quarantineMsDefault = 60 * minute;
/** Different clusters of an organization on which a rule must have been killed before it is left out for that organization. */
export const quarantineClustersMin = 3;
/** Different organizations in which a rule must have been killed before it is left out for all. */
export const quarantineOrganizationsMin = 3;
/** Kills that are remembered of one organization, and of all. */
export const quarantineKillsPerOrganizationMax = 100;
export const quarantineKillsMax = 2_000;
