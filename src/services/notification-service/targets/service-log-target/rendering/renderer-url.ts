/** The remote renderer's address from its two settings. Source: notification-service.md 3.6, 17 item 19. */
import { CcxError } from '../../../../../encoding/ccx-error.ts';

/**
 * The server's path and the endpoint joined, double slashes collapsed, no slash at the end. `http://` is added where there is no scheme:
 * the reference does not, so its shipped default cannot work. Throws `CONFIG_INVALID`.
 */
export function templateRendererUrl(server: string, endpoint: string): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(server);
  const url = /[\u0000-\u0020\u007f]/.test(server) ? null : URL.parse(hasScheme ? server : `http://${server}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CcxError('dependencies.template_renderer_server is no address', {
      code: 'CONFIG_INVALID',
      category: 'configuration',
      hint: 'write it as http://host:port',
    });
  }
  url.pathname = `${url.pathname}/${endpoint}`.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '');
  return url.href;
}
