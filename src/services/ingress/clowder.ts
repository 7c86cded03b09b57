/**
 * What Clowder, the operator that deploys the hosted services, tells in the JSON file that `ACG_CONFIG` names, as environment names of
 * ingress. Most of it are defaults, which the environment beats; security of Kafka beats the environment. Used by `commands.ts`.
 * Source: ingress.md A.11.1.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { TOPIC_PAYLOAD_STATUS, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { brokerAddresses, clowderDocument } from '../../platform/reference/clowder.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface ClowderEnvironment {
  readonly env: Environment;
  readonly warnings: readonly string[];
  /** Removes the file that holds the brokers' certificate authority. */
  cleanUp(): void;
}

const documentSchema = clowderDocument.pick({
  publicPort: true,
  metricsPort: true,
  kafka: true,
  objectStore: true,
  logging: true,
});

type ClowderDocument = z.infer<typeof documentSchema>;

/** The environment as it is where `ACG_CONFIG` is not set. Throws `CONFIG_CLOWDER` for a file that cannot be read or understood. */
export function applyClowder(env: Environment): ClowderEnvironment {
  const path = env['ACG_CONFIG'];
  if (path === undefined || path === '') return { env, warnings: [], cleanUp: () => undefined };
  const document = readDocument(path);
  const authority = document.kafka?.brokers[0]?.cacert ?? undefined;
  const folder = authority === undefined ? undefined : mkdtempSync(join(tmpdir(), 'ccx-ingress-'));
  const caFile = folder === undefined ? undefined : join(folder, 'kafka-ca.pem');
  if (caFile !== undefined) writeFileSync(caFile, authority!, { mode: 0o600 });
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  return {
    env: { ...defaults(document, env), ...given, ...kafkaSecurity(document, caFile) },
    warnings: document.logging?.cloudwatch?.accessKeyId
      ? ['CloudWatch of Clowder is not used; the log goes to standard output']
      : [],
    cleanUp() {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function readDocument(path: string): ClowderDocument {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    // Not the parser's words: they quote the file, and it holds passwords.
    throw refused(path, 'it cannot be read as JSON', cause instanceof SyntaxError ? undefined : cause);
  }
  const parsed = documentSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw refused(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function defaults({ kafka, objectStore, publicPort, metricsPort }: ClowderDocument, env: Environment): Environment {
  const topic = (requested: string) => kafka?.topics.find(({ requestedName }) => requestedName === requested)?.name;
  const bucket = objectStore?.buckets?.[0];
  // The environment's own name of the bucket counts before Clowder's, so this is for where there is none.
  const staging =
    objectStore?.buckets?.find(({ requestedName }) => requestedName === env['INGRESS_STAGEBUCKET']) ?? bucket;
  return definedOnly({
    INGRESS_KAFKABROKERS: kafka == null ? undefined : brokerAddresses(kafka.brokers).join(' '),
    INGRESS_KAFKAANNOUNCETOPIC: topic(TOPIC_UPLOAD_ANNOUNCE),
    INGRESS_KAFKATRACKERTOPIC: topic(TOPIC_PAYLOAD_STATUS),
    INGRESS_WEBPORT: publicPort,
    INGRESS_METRICSPORT: metricsPort,
    INGRESS_MINIOENDPOINT: objectStore == null ? undefined : `${objectStore.hostname}:${objectStore.port}`,
    INGRESS_USESSL: objectStore?.tls,
    INGRESS_MINIOACCESSKEY: bucket?.accessKey,
    INGRESS_MINIOSECRETKEY: bucket?.secretKey,
    INGRESS_STORAGEREGION: bucket?.region,
    INGRESS_STAGEBUCKET: staging?.name,
  });
}

function kafkaSecurity({ kafka }: ClowderDocument, caFile: string | undefined): Environment {
  const broker = kafka?.brokers[0];
  const sasl = broker?.authtype == null ? undefined : broker.sasl;
  return definedOnly({
    INGRESS_KAFKASECURITYPROTOCOL: broker?.securityProtocol || broker?.sasl?.securityProtocol,
    INGRESS_KAFKAUSERNAME: sasl?.username,
    INGRESS_KAFKAPASSWORD: sasl?.password,
    INGRESS_SASLMECHANISM: sasl?.saslMechanism,
    INGRESS_KAFKACA: caFile,
  });
}

function definedOnly(values: Readonly<Record<string, string | number | boolean | null | undefined>>): Environment {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value == null || value === '' ? [] : [[name, String(value)]])),
  );
}

function refused(path: string, why: string, cause?: unknown): CcxError {
  return new CcxError(`the Clowder document ${path} is refused: ${why}`, {
    code: 'CONFIG_CLOWDER',
    category: 'configuration',
    hint: 'check ACG_CONFIG',
    cause,
  });
}
