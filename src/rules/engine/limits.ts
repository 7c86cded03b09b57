/** Limits of looking at an archive. Sizes of the archive and its entries are bounded before, where it is opened. */

/** Objects of a cluster nest a dozen levels; a custom resource may nest some tens. More is an attempt to exhaust the stack. */
export const jsonDepthMax = 200;
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
