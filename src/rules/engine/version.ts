/** The version that reports name as the origin of their findings; a test holds it equal to the package's. */
export const RULES_VERSION = '0.1.0';
