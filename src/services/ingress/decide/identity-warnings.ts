/** What an administrator should know at every start of who is believed to be whom. */

export interface IdentityFacts {
  readonly tokens: boolean;
  readonly trustIdentityHeader: boolean;
  /** Whether others than this machine can connect. */
  readonly openToOthers: boolean;
  readonly host: string;
  readonly database: boolean;
}

export function identityWarnings(facts: IdentityFacts): string[] {
  if (!facts.tokens) {
    if (!facts.openToOthers) return [];
    return [
      `${facts.host} is open to others and there is no token file: whoever connects can upload in the name of any organization; set gateway.tokens_file, or let nobody but a gateway connect`,
    ];
  }
  const warnings: string[] = [];
  if (facts.trustIdentityHeader) {
    warnings.push(
      'gateway.trust_identity_header is on: a request without a token is believed whatever its x-rh-identity says; let nobody but a gateway connect',
    );
  }
  if (!facts.database) {
    warnings.push(
      'there is no database: whose a cluster is counts only where a token is bound to it; set database.url for the others',
    );
  }
  return warnings;
}
