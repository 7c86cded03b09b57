/** What the API says of itself: its version and its description. */
import { apiDescriptionSchema, apiInfoSchema } from '../../../contracts/results-api.ts';
import { openapiOf, type RouteTable } from './openapi.ts';
import { type Route, route } from './route.ts';

/** `tables`: all that there are, these among them. */
export function aboutRoutes(tables: () => readonly RouteTable[], version: string): readonly Route[] {
  let description: unknown;
  return [
    route({
      method: 'GET',
      path: '/info',
      summary: 'Which build this is',
      answers: { 200: { description: 'Its version.', schema: apiInfoSchema } },
      async handle() {
        return { status: 200, body: { status: 'ok', info: { SmartProxy: { BuildVersion: version } } } };
      },
    }),
    route({
      method: 'GET',
      path: '/openapi.json',
      summary: 'This description',
      answers: { 200: { description: 'An OpenAPI document.', schema: apiDescriptionSchema } },
      async handle() {
        description ??= openapiOf(tables(), version);
        return { status: 200, body: description };
      },
    }),
  ];
}
