/**
 * The metrics of several services as one page, for a process that runs them together. Joined at every look and not once: services make
 * some metrics when they first need them, and two of them may use the same part of the platform and so share a metric's name. Used by the
 * all-in-one process.
 */
import { AggregatorRegistry, Registry } from 'prom-client';

/** What a metrics page needs of a registry. */
export type MetricsPage = Pick<Registry, 'contentType' | 'metrics'>;

/** A name that several registries have becomes one metric; values with equal labels are added. */
export function joinRegistries(registries: readonly Registry[]): MetricsPage {
  return {
    contentType: Registry.PROMETHEUS_CONTENT_TYPE,
    async metrics() {
      const owners = registries.flatMap((registry) =>
        registry.getMetricsAsArray().map(({ name }) => ({ name, registry })),
      );
      const texts: string[] = [];
      for (const [name, found] of Map.groupBy(owners, (owner) => owner.name))
        texts.push(
          await textOf(
            name,
            found.map(({ registry }) => registry),
          ),
        );
      return `${texts.join('\n\n')}\n`;
    },
  };
}

async function textOf(name: string, registries: readonly Registry[]): Promise<string> {
  const [first] = registries;
  if (first !== undefined && registries.length === 1) return first.getSingleMetricAsString(name);
  const values = await Promise.all(registries.map(async (registry) => [await registry.getSingleMetric(name)?.get()]));
  return AggregatorRegistry.aggregate(values).getSingleMetricAsString(name);
}
