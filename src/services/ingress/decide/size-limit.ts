/** How large a file of a service may be. Source: ingress.md A.4.4. */

export interface SizeLimits {
  readonly defaultBytesMax: number;
  /** An override replaces the default; it may be smaller or larger. */
  readonly bytesMaxByService: ReadonlyMap<string, number>;
}

/** Only a strictly larger file is refused. */
export function sizeLimit(service: string | undefined, limits: SizeLimits): number {
  const override = service === undefined ? undefined : limits.bytesMaxByService.get(service);
  return override ?? limits.defaultBytesMax;
}
