/** The `useragent` label of metrics: programs, not versions and clusters. First rule that matches. Source: ingress.md A.10.1. */

export function userAgentLabel(userAgent: string): string {
  if (userAgent.includes('-operator')) return userAgent.split('/', 1)[0]!;
  if (userAgent.includes('Core')) {
    const match = /(insights-client\/[0-9.]+) \((Core [0-9.]+)/.exec(userAgent);
    if (match !== null) return `${match[1]} ${match[2]}`;
  }
  if (userAgent.includes('insights-client')) {
    return /insights-client\/[0-9.]+/.exec(userAgent)?.[0] ?? userAgent;
  }
  if (userAgent.includes('redhat-access-insights')) {
    return /redhat-access-insights\/[0-9.]+/.exec(userAgent)?.[0] ?? userAgent;
  }
  return userAgent;
}
