/**
 * Limits of reading a gob stream. Lengths and counts need none of their own: none may be larger than the
 * bytes that are left.
 */

/** Values inside values; rule content nests five deep, and a recursive type could nest as deep as the stream is long. */
export const gobDepthMax = 64;
/** Types that one stream may define; rule content defines nine. */
export const gobTypesMax = 1_000;
/** Fields of one struct type. */
export const gobFieldsMax = 1_000;
/**
 * Values of one stream, counting every element. Five hundred rules make some thirty thousand; a byte of the stream may become a map entry
 * of a hundred bytes, so the size of the stream alone does not bound the memory.
 */
export const gobValuesMax = 1_000_000;
