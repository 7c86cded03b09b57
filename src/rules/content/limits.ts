/** Limits of reading rule content. */

/** Folders between a rule type and a rule; the hosted content has two or three. A loop of links would otherwise never end. */
export const contentDepthMax = 8;
