/** Limits of object stores. */

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;
const hourMs = 3_600_000;

/** S3's limit; the directory keeps to it so that a key that works here works there. */
export const keyBytesMax = 1024;
/** File systems end at 255 bytes; the ending of the file beside it must fit, too. Longer names are hashed. */
export const fileNameBytesMax = 240;

/** A disk with less is "nearly full": PostgreSQL may lie on it, too, and must not run out of it because of archives. */
export const freeBytesMin = 512 * mebibyte;
/** An upload makes up to three files (archive, metadata, announcement); a few uploads more than the last one still fit. */
export const freeInodesMin = 8;
/** How much one stream may write between two looks at the disk. */
export const freeCheckedEveryBytes = 4 * mebibyte;

/** Links live 24 h and a pipeline that was away for a weekend still finds its archives. */
export const retentionAgeMs = 72 * hourMs;
/** A hundred thousand ordinary archives. */
export const retentionTotalBytes = 10 * gibibyte;
export const retentionEveryMs = 5 * 60_000;
/** An archive is stored at most this long before its announcement; kept so long before the oldest one that still waits. */
export const outboxReachMs = 10 * 60_000;
/** Temporary files of another machine on a shared disk, or metadata without an object, are left-overs after this time. */
export const leftOverAgeMs = hourMs;
