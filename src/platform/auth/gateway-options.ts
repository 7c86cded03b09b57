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
} as const;
