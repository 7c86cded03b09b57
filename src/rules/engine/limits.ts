/** Limits of looking at an archive. Sizes of the archive and its entries are bounded before, where it is opened. */

/** Messages in details are cut to this, so that a cluster on which much is wrong still fits into the limit of details. */
export const messageCharactersMax = 1_000;
