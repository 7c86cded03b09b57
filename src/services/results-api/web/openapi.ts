/** `openapi.json`, made of the routes and of the schemas of their bodies. */
import { z } from 'zod';
import { parametersIn, pathParameters, type Route, refusalsOf } from './route.ts';

export interface RouteTable {
  /** `/api/insights-results-aggregator/v2`. */
  readonly prefix: string;
  readonly routes: readonly Route[];
}

export function openapiOf(tables: readonly RouteTable[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { prefix, routes } of tables) {
    for (const route of routes) {
      const path = `${prefix}${route.path}`;
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'CCX Notifications: read API',
      description: 'What was found in the archives of clusters, and what is acknowledged of it.',
      version,
    },
    security: [{ token: [] }, { identity: [] }],
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        identity: { type: 'apiKey', in: 'header', name: 'x-rh-identity' },
      },
    },
    paths,
  };
}

function operationOf(route: Route) {
  const answers = { ...refusalsOf(route), ...route.answers };
  return {
    summary: route.summary,
    parameters: [...parametersIn(route.path).map(pathParameterOf), ...queryParametersOf(route)],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.mayOmitBody !== true,
            content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
          },
        }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, { description, schema }]) => [
        status,
        schema === undefined
          ? { description }
          : { description, content: { 'application/json': { schema: jsonSchema(schema, 'output') } } },
      ]),
    ),
  };
}

function pathParameterOf(name: ReturnType<typeof parametersIn>[number]) {
  const { words: description, schema, example } = pathParameters[name];
  return { name, in: 'path', required: true, description, schema: jsonSchema(schema, 'input'), example };
}

function queryParametersOf({ query }: Route) {
  return Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !(schema as z.ZodType).safeParse(undefined).success,
    schema: jsonSchema(schema as z.ZodType, 'input'),
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
