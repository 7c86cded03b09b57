/** Limits of looking at an archive. Sizes of the archive and its entries are bounded before, where it is opened. */

/** Objects of a cluster nest a dozen levels; a custom resource may nest some tens. More is an attempt to exhaust the stack. */
export const jsonDepthMax = 200;
/**
 * JSON is parsed up to these sizes; what is over them is a broken file of its archive. The operator itself drops what exceeds 24 MiB
 * unpacked (ingress.md B.3.2), and a cluster of 500 nodes has 5 MiB in the files that rules ask for.
 */
export const jsonArchiveBytesMax = 24 * 1024 * 1024;
/** The largest genuine JSON files, alerts of a cluster on which much is wrong, have a few MiB. */
export const jsonFileBytesMax = 8 * 1024 * 1024;
/**
 * Values and member names: what parsing costs in time (about 0.4 s for so many) and memory (about 150 MiB). Genuine files hold 60 of them
 * per KiB, a node about 290, so this is what 2 500 nodes have.
 */
export const jsonArchiveValuesMax = 800_000;
/** One file: some 6 000 alerts. */
export const jsonFileValuesMax = 400_000;
/** Broken files that a report's skip names; the rest are counted. */
export const brokenFilesNamedMax = 5;
/** A quantity is a number and a unit; more is none, and is not looked at. */
export const quantityCharactersMax = 64;
/** Longer details are replaced by their length, as the results aggregator expects. Source: data-pipeline.md 4.3. */
export const detailCharactersMax = 65_535;
/** `config/id` holds a hyphenated UUID; whatever follows is ignored. Source: data-pipeline.md 6.3. */
export const clusterIdCharacters = 36;
/** Broken files that are listed by name; the rest are only counted, so that a hostile archive cannot fill a log. */
export const brokenFilesListedMax = 100;
/** Kubernetes allows no longer name; what is longer comes from no cluster. */
export const nameCharactersMax = 253;
/** OpenShift's longest versions, nightly builds, have some fifty characters. */
export const versionCharactersMax = 253;
/** Messages in details are cut to this, so that a cluster on which much is wrong still fits into the limit of details. */
export const messageCharactersMax = 1_000;
