/**
 * The release has CVE-2021-30465, a way out of containers through runc. Source: data-pipeline.md 7.5 (43); versions: affected-versions.yaml.
 *
 * Provisional: the versions are ours. runc is mended since 1.0.0-rc95 of 2021-05-19 (advisory GHSA-c3xm-pvg7-gh7r); 4.8 came out after it.
 * Which patch releases of 4.5, 4.6 and 4.7 ship the mended package, advisories of theirs say that we could not read. We take 4.5.40, 4.6.30
 * and 4.7.12, the first that were published after that day. Looked at: the CVE record, runc's advisory, scanners' rules made from advisories.
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';
import { isAffected } from '../../affected-versions.ts';

export const cve202130465Runc = defineRule({
  module: 'ccx_rules_ocp.external.security.CVE_2021_30465_runc',
  errorKeys: ['CVE_2021_30465_RUNC_VULN'],
  requires: ['clusterVersion'],
  mark: 'provisional',
  links: { cve: ['https://access.redhat.com/security/cve/CVE-2021-30465'] },
  evaluate({ clusterVersion: { parsed, current, isOkd } }, { settings }) {
    // Releases of OKD have no patch number that would tell.
    if (isOkd || !isAffected('CVE_2021_30465_runc', parsed, settings)) return makeNone();
    return makeFail('CVE_2021_30465_RUNC_VULN', { version: current });
  },
});
