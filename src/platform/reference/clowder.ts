/**
 * The configuration document that Clowder mounts into a container, named by `ACG_CONFIG`: brokers, topics, database. Used by the drop-in
 * programs only; what it overrides is theirs. Members that nobody reads are not demanded, and a broker may lack its port.
 * Source: notification-writer.md 2.6.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { errorText } from '../../encoding/ccx-error.ts';

const brokerSchema = z.looseObject({
  hostname: z.string(),
  port: z.number().int().nullish(),
  authtype: z.string().nullish(),
  cacert: z.string().nullish(),
  securityProtocol: z.string().nullish(),
  sasl: z
    .looseObject({
      username: z.string().nullish(),
      password: z.string().nullish(),
      saslMechanism: z.string().nullish(),
    })
    .nullish(),
});

const documentSchema = z.looseObject({
  kafka: z
    .looseObject({
      brokers: z.array(brokerSchema).default([]),
      topics: z.array(z.looseObject({ name: z.string(), requestedName: z.string() })).default([]),
    })
    .nullish(),
  database: z
    .looseObject({
      hostname: z.string(),
      port: z.number().int(),
      name: z.string(),
      username: z.string(),
      password: z.string(),
    })
    .nullish(),
});

export type ClowderDocument = z.infer<typeof documentSchema>;

export interface Clowder {
  /** Undefined: not there, or not readable. */
  readonly document: ClowderDocument | undefined;
  /** For standard output; scripts look for `Clowder is enabled` and `Clowder is disabled`. */
  readonly lines: readonly string[];
}

/** `path` is the value of `ACG_CONFIG`. A document that cannot be read is told and otherwise as good as none. */
export function readClowder(path: string | undefined): Clowder {
  if (path === undefined) return { document: undefined, lines: ['Clowder is disabled'] };
  try {
    const document = documentSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return { document, lines: ['Clowder is enabled'] };
  } catch (error) {
    return { document: undefined, lines: [`cannot read ${path}: ${reasonOf(error)}`, 'Clowder is disabled'] };
  }
}

/** The parser's own words would quote the document, which holds passwords. */
function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).replaceAll('\n', ' ');
  return error instanceof SyntaxError ? 'it is not JSON' : errorText(error);
}
