/** Which service and category the content type of the file part names. The bytes are never looked at. Source: ingress.md A.4.3. */
export interface UploadType {
  readonly service: string;
  readonly category: string;
}

const plainGzipTypes = new Set([
  'application/x-gzip; charset=binary',
  'application/gzip',
  'application/gzip; charset=binary',
]);

/** Unanchored, and the suffix (`+tgz`, `+tar`) is not checked, as in the reference. */
const vendorType = /application\/vnd\.redhat\.([a-z0-9-]+)\.([a-z0-9-]+).*/;

/** `contentType`: the part's header, verbatim. Undefined where it is none, or its service is not accepted here. */
export function uploadType(contentType: string, acceptedServices: readonly string[]): UploadType | undefined {
  const type = readType(contentType);
  return type !== undefined && acceptedServices.includes(type.service) ? type : undefined;
}

function readType(contentType: string): UploadType | undefined {
  if (plainGzipTypes.has(contentType)) return { service: 'advisor', category: 'upload' };
  const match = vendorType.exec(contentType);
  return match === null ? undefined : { service: match[1]!, category: match[2]! };
}

/**
 * How large a file of a service may be: only a strictly larger one is refused. An override replaces the default; it may be smaller or larger.
 * Source: ingress.md A.4.4.
 */
export function sizeLimit(
  service: string | undefined,
  limits: { readonly defaultBytesMax: number; readonly bytesMaxByService: ReadonlyMap<string | undefined, number> },
): number {
  return limits.bytesMaxByService.get(service) ?? limits.defaultBytesMax;
}
