/**
 * The addresses that notifications lead to, from the templates of the configuration. Nothing is percent-encoded, as in the reference;
 * inserted text is not scanned again. And that of the template renderer. Source: notification-service.md 9.2, 10.2.
 */
import { configInvalid } from '../../../encoding/ccx-error.ts';

/** Every `{name}` of `values`, in one pass. */
export function fillUri(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? values[name]! : whole));
}

/** Only the first `{cluster_id}`, as the reference does for the cluster's own page. */
export function fillClusterUri(template: string, cluster: string): string {
  return template.replace('{cluster_id}', () => cluster);
}

/**
 * The server's path and the endpoint joined, double slashes collapsed, no slash at the end. `http://` is added where there is no scheme:
 * the reference does not, so its shipped default cannot work. Throws `CONFIG_INVALID`.
 */
export function templateRendererUrl(server: string, endpoint: string): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(server);
  const url = /[\u0000-\u0020\u007f]/.test(server) ? null : URL.parse(hasScheme ? server : `http://${server}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw configInvalid('dependencies.template_renderer_server is no address', 'write it as http://host:port');
  }
  url.pathname = `${url.pathname}/${endpoint}`.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '');
  return url.href;
}
