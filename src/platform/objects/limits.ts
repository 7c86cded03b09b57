/** Limits of object stores. */

/** An upload makes up to three files (archive, metadata, announcement); a few uploads more than the last one still fit. */
export const freeInodesMin = 8;

/** Temporary files of another machine on a shared disk, or metadata without an object, are left-overs after this time. */
export const leftOverAgeMs = 3_600_000;
