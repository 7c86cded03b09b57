/**
 * The identity document that travels base64-encoded in `x-rh-identity` and in the announcement's `b64_identity`.
 * Produced by: gateway → consumed by: ingress (checks it, as Go does), data pipeline (reads organization, account and cluster from it, as
 * Python does). Source: ingress.md A.3.2, data-pipeline.md 2.3.
 */
import { type CcxError, inputError } from '../encoding/ccx-error.ts';
import { decodeLikeGo, type GoType, type GoValue } from '../encoding/go-decoder.ts';
import { isJsonObject, type JsonObject, parseUtf8Json } from '../encoding/json-text.ts';

export interface Identity {
  readonly identity: {
    readonly account_number?: string;
    readonly employee_account_number?: string;
    readonly org_id?: string;
    readonly type?: string;
    readonly auth_type?: string;
    readonly internal?: { readonly org_id?: string; readonly auth_time?: number; readonly cross_access?: boolean };
    readonly system?: { readonly cn?: string; readonly cert_type?: string; readonly cluster_id?: string };
    readonly x509?: { readonly subject_dn?: string; readonly issuer_dn?: string };
    readonly user?: Readonly<Record<string, unknown>>;
  };
  readonly entitlements?: Readonly<Record<string, { readonly is_entitled?: boolean; readonly is_trial?: boolean }>>;
}

/** Padded standard base64 of the compact JSON text. */
export function encodeIdentity(identity: Identity): string {
  return Buffer.from(JSON.stringify(identity), 'utf8').toString('base64');
}

/** What ingress uses of a checked identity; absent members are empty texts. */
export interface CheckedIdentity {
  readonly accountNumber: string;
  /** `identity.org_id`, else `identity.internal.org_id`. */
  readonly orgId: string;
  readonly type: string;
  readonly x509SubjectDn: string;
}

type IdentityCheck =
  | { readonly kind: 'accepted'; readonly identity: CheckedIdentity }
  /** The message is the reference's, without its leading `Bad Request: `. */
  | { readonly kind: 'refused'; readonly error: CcxError };

const text: GoType = { kind: 'string' };
const flag: GoType = { kind: 'bool' };

const identityType = {
  kind: 'struct',
  name: 'XRHID',
  fields: {
    identity: {
      kind: 'struct',
      name: 'Identity',
      fields: {
        account_number: text,
        employee_account_number: text,
        org_id: text,
        internal: {
          kind: 'struct',
          name: 'Internal',
          fields: { org_id: text, auth_time: { kind: 'number' }, cross_access: flag },
        },
        user: {
          kind: 'struct',
          name: 'User',
          fields: {
            username: text,
            email: text,
            first_name: text,
            last_name: text,
            is_active: flag,
            is_org_admin: flag,
            is_internal: flag,
            locale: text,
            user_id: text,
          },
        },
        system: { kind: 'struct', name: 'System', fields: { cn: text, cert_type: text, cluster_id: text } },
        associate: {
          kind: 'struct',
          name: 'Associate',
          fields: { Role: { kind: 'list', of: text }, email: text, givenName: text, rhatUUID: text, surname: text },
        },
        x509: { kind: 'struct', name: 'X509', fields: { subject_dn: text, issuer_dn: text } },
        service_account: {
          kind: 'struct',
          name: 'ServiceAccount',
          fields: { client_id: text, username: text, user_id: text },
        },
        type: text,
        auth_type: text,
      },
    },
    entitlements: {
      kind: 'map',
      of: { kind: 'struct', name: 'ServiceDetails', fields: { is_entitled: flag, is_trial: flag } },
    },
  },
} as const satisfies GoType;

/**
 * The header's value as ingress checks it. Codes: `IDENTITY_MISSING`, `IDENTITY_NOT_BASE64`, `IDENTITY_NOT_JSON`,
 * `IDENTITY_WITHOUT_ORG`, `IDENTITY_WITHOUT_TYPE`. Never throws.
 */
export function checkIdentityHeader(header: string | undefined): IdentityCheck {
  if (header === undefined || header === '') return refuse('IDENTITY_MISSING', 'missing x-rh-identity header');
  const bytes = decodeBase64Strictly(header);
  if (bytes === undefined) return refuse('IDENTITY_NOT_BASE64', 'unable to b64 decode x-rh-identity header');
  const decoding = decodeLikeGo(bytes, identityType);
  if (decoding.kind === 'refused') {
    return refuse('IDENTITY_NOT_JSON', `x-rh-identity header does not contain valid JSON: ${decoding.text}`);
  }
  const identity = memberOf(decoding.value, 'identity');
  const accountNumber = textOf(identity, 'account_number');
  const type = textOf(identity, 'type');
  const orgId = textOf(identity, 'org_id') || textOf(memberOf(identity, 'internal'), 'org_id');
  // Red Hat's own people and certificates of services belong to no organization.
  const needsNoOrg = (type === 'Associate' || type === 'X509') && accountNumber === '';
  if (!needsNoOrg && orgId === '') {
    return refuse('IDENTITY_WITHOUT_ORG', 'x-rh-identity header has an invalid or missing org_id');
  }
  if (type === '') return refuse('IDENTITY_WITHOUT_TYPE', 'x-rh-identity header is missing type');
  const x509SubjectDn = textOf(memberOf(identity, 'x509'), 'subject_dn');
  return { kind: 'accepted', identity: { accountNumber, orgId, type, x509SubjectDn } };
}

/** As the data pipeline sees it; members that are not listed are kept, but nobody vouches for their types. */
export interface ConsumerIdentity {
  readonly identity: {
    readonly internal: { readonly org_id: string; readonly auth_time?: number };
    readonly account_number?: string;
    readonly type?: string;
    readonly auth_type?: string;
    readonly system?: { readonly cluster_id?: unknown };
  };
}

type ConsumerIdentityParse =
  | { readonly kind: 'parsed'; readonly identity: ConsumerIdentity }
  /** The message is the reference's. */
  | { readonly kind: 'refused'; readonly error: CcxError };

/** The announcement's `b64_identity`. Codes: `IDENTITY_NOT_BASE64`, `IDENTITY_NOT_JSON`, `IDENTITY_SCHEMA`. Never throws. */
export function parseConsumerIdentity(base64: string): ConsumerIdentityParse {
  const bytes = decodeBase64LikePython(base64);
  if (bytes === undefined) return refuse('IDENTITY_NOT_BASE64', 'Base64 encoded identity could not be parsed');
  let document: unknown;
  try {
    document = parseUtf8Json(bytes);
  } catch (cause) {
    return refuse('IDENTITY_NOT_JSON', 'Unable to decode received message', cause);
  }
  if (!hasConsumerSchema(document)) return refuse('IDENTITY_SCHEMA', 'Invalid input message JSON schema');
  return { kind: 'parsed', identity: document };
}

function hasConsumerSchema(document: unknown): document is ConsumerIdentity & JsonObject {
  if (!isJsonObject(document)) return false;
  const identity = document['identity'];
  if (!isJsonObject(identity)) return false;
  const internal = identity['internal'];
  if (!isJsonObject(internal) || typeof internal['org_id'] !== 'string') return false;
  const user = identity['user'];
  if (user !== undefined && !isJsonObject(user)) return false;
  // `system` is not looked into by the reference; where it is no object, it holds no cluster id.
  return (
    isAbsentOr(internal, 'number', ['auth_time']) &&
    isAbsentOr(identity, 'string', ['account_number', 'auth_type', 'type']) &&
    (user === undefined ||
      (isAbsentOr(user, 'string', ['email', 'first_name', 'last_name', 'locale', 'username']) &&
        isAbsentOr(user, 'boolean', ['is_active', 'is_internal', 'is_org_admin'])))
  );
}

function isAbsentOr(object: JsonObject, type: 'string' | 'number' | 'boolean', names: readonly string[]): boolean {
  // Null is a value to JSON Schema, and not of these types.
  return names.every((name) => !Object.hasOwn(object, name) || typeof object[name] === type);
}

function refuse(...said: Parameters<typeof inputError>): { readonly kind: 'refused'; readonly error: CcxError } {
  return { kind: 'refused', error: inputError(...said) };
}

function memberOf(value: GoValue, name: string): GoValue {
  return isGoObject(value) ? (value[name] ?? {}) : {};
}

function textOf(value: GoValue, name: string): string {
  const member = isGoObject(value) ? value[name] : undefined;
  return typeof member === 'string' ? member : '';
}

function isGoObject(value: GoValue): value is { readonly [name: string]: GoValue } {
  return typeof value === 'object' && !Array.isArray(value);
}

/**
 * `Buffer.from(text, 'base64')` never fails and takes the URL alphabet and missing padding as well, so what the reference refuses would
 * pass.
 */
const strictPattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Go's `base64.StdEncoding`: standard alphabet, padding required, line ends ignored. Undefined where it fails. */
function decodeBase64Strictly(text: string): Buffer | undefined {
  const joined = text.replace(/[\r\n]/g, '');
  return strictPattern.test(joined) ? Buffer.from(joined, 'base64') : undefined;
}

/**
 * Python's `base64.b64decode`: characters outside of the alphabet are discarded, reading ends at complete padding, incomplete padding is
 * an error. Undefined where it fails.
 */
export function decodeBase64LikePython(text: string): Buffer | undefined {
  // What everybody sends; the walk below is for the rest.
  if (strictPattern.test(text)) return Buffer.from(text, 'base64');
  if (/[^\x00-\x7f]/.test(text)) return undefined;
  let digits = '';
  let pads = 0;
  for (const character of text) {
    if (character === '=') {
      pads += 1;
      const inQuad = digits.length % 4;
      if (inQuad >= 2 && inQuad + pads >= 4) return Buffer.from(digits, 'base64');
    } else if (/[A-Za-z0-9+/]/.test(character)) {
      digits += character;
      pads = 0;
    }
  }
  return digits.length % 4 === 0 ? Buffer.from(digits, 'base64') : undefined;
}
