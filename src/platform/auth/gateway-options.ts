/** The settings of the gateway, for the option tables of the services that have one; `openGateway` takes what is read of them. */

export const gatewayOptions = {
  'gateway.tokens_file': {
    as: 'tokensFile',
    default: '',
    flag: 'tokens-file',
    description:
      'JSON file of bearer tokens (ccx tokens writes it); set, the process is its own gateway and operators can call it directly. Read again when it changes',
  },
  'gateway.trust_identity_header': {
    as: 'trustIdentityHeader',
    default: false,
    description:
      'with a tokens file: whether requests without a token may bring x-rh-identity; only where nobody but a gateway can connect',
  },
  'gateway.accounts_url': {
    as: 'accountsUrl',
    default: '',
    description:
      'address that says whose a token is which the tokens file does not know, e.g. https://api.openshift.com/api/accounts_mgmt/v1/current_account; asked with the cluster and the token. Set, the process is its own gateway, too',
  },
  'gateway.accounts_ca_file': {
    as: 'accountsCaFile',
    default: '',
    description: 'PEM file of the authorities that vouch for that address; without, those that everybody trusts',
  },
} as const;

/** Whether the process takes bearer tokens itself; else there is a gateway in front. */
export function isOwnGateway(settings: { readonly tokensFile: string; readonly accountsUrl: string }): boolean {
  return settings.tokensFile !== '' || settings.accountsUrl !== '';
}
