/** Files of prom-client that come without types; those of its entry are theirs. */
declare module 'prom-client/lib/counter.js' {
  const Counter: typeof import('prom-client').Counter;
  export = Counter;
}
declare module 'prom-client/lib/gauge.js' {
  const Gauge: typeof import('prom-client').Gauge;
  export = Gauge;
}
declare module 'prom-client/lib/histogram.js' {
  const Histogram: typeof import('prom-client').Histogram;
  export = Histogram;
}
declare module 'prom-client/lib/registry.js' {
  const Registry: typeof import('prom-client').Registry;
  export = Registry;
}
