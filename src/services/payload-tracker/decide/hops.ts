/** The hops of the flow in a few words each, for people who read one request's trace. `src/topology.ts` has them at length; a test compares. */

interface HopName {
  readonly service: string;
  /** What has happened when the hop is finished. */
  readonly done: string;
}

export const lastHop = 12;

export const hopNames: Readonly<Record<number, HopName>> = {
  1: { service: 'ingress', done: 'upload validated' },
  2: { service: 'ingress', done: 'archive stored and announced' },
  3: { service: 'data-pipeline', done: 'announcement accepted' },
  4: { service: 'data-pipeline', done: 'archive opened' },
  5: { service: 'data-pipeline', done: 'rules applied' },
  6: { service: 'data-pipeline', done: 'report published' },
  7: { service: 'notification-writer', done: 'report checked' },
  8: { service: 'notification-writer', done: 'report stored' },
  9: { service: 'notification-service', done: 'report loaded' },
  10: { service: 'notification-service', done: 'decided' },
  11: { service: 'notification-service', done: 'delivered' },
  12: { service: 'notification-service', done: 'outcome recorded' },
};
