/**
 * The addresses that notifications lead to, from the templates of the configuration. Nothing is percent-encoded, as in the reference;
 * inserted text is not scanned again. Source: notification-service.md 9.2, 10.2.
 */

/** Every `{name}` of `values`, in one pass. */
export function fillUri(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? values[name]! : whole));
}

/** Only the first `{cluster_id}`, as the reference does for the cluster's own page. */
export function fillClusterUri(template: string, cluster: string): string {
  return template.replace('{cluster_id}', () => cluster);
}
