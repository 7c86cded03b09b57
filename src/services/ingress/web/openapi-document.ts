/** What `GET …/openapi.json` answers. It says 400 where the reference's own document wrongly says 401. Source: ingress.md A.2, A.4, A.9. */

const requestIdHeader = {
  description: 'The id by which this upload is found again; the given one, or one that was made.',
  schema: { type: 'string' },
} as const;

const uploadAnswer = {
  type: 'object',
  required: ['request_id', 'upload'],
  properties: {
    request_id: { type: 'string' },
    upload: {
      type: 'object',
      properties: { account_number: { type: 'string' }, org_id: { type: 'string' } },
    },
  },
} as const;

function accepted(description: string) {
  return {
    description,
    headers: { 'x-rh-insights-request-id': requestIdHeader },
    content: { 'application/json': { schema: uploadAnswer } },
  };
}

function refused(description: string) {
  return { description, content: { 'text/plain': { schema: { type: 'string' } } } };
}

export function openapiDocument(version: string): unknown {
  return {
    openapi: '3.0.0',
    info: { title: 'Ingress', description: 'Takes archives of clusters and hosts and announces them.', version },
    servers: [{ url: '/api/ingress/v1' }, { url: '/r/insights/platform/ingress/v1' }],
    security: [{ identity: [] }, { token: [] }],
    components: {
      securitySchemes: {
        identity: { type: 'apiKey', in: 'header', name: 'x-rh-identity' },
        token: { type: 'http', scheme: 'bearer' },
      },
    },
    paths: {
      '/upload': {
        post: {
          summary: 'Uploads one archive',
          requestBody: {
            required: true,
            content: {
              'multipart/form-data': {
                schema: {
                  type: 'object',
                  properties: {
                    file: {
                      type: 'string',
                      format: 'binary',
                      description: 'The archive; its content type names the service.',
                    },
                    upload: { type: 'string', format: 'binary', description: 'The same under its old name.' },
                    metadata: { type: 'string', description: 'A JSON object about the archive.' },
                  },
                },
              },
            },
          },
          responses: {
            '200': accepted('A test request would have succeeded.'),
            '201': accepted('Stored and announced (service advisor without metadata).'),
            '202': accepted('Stored and announced.'),
            '400': refused('The identity or the form cannot be read.'),
            '401': refused('The token is not known (where tokens are used).'),
            '403': refused('The organization may not upload.'),
            '413': refused('The file is too large.'),
            '415': { description: 'The content type or its service is not accepted.' },
            '500': { description: 'The archive could not be stored.' },
            '503': refused('There is no room at the moment; come again after `Retry-After` seconds.'),
          },
        },
      },
      '/track/{requestID}': {
        get: {
          summary: 'What became of an upload',
          parameters: [
            { name: 'requestID', in: 'path', required: true, schema: { type: 'string' } },
            { name: 'verbosity', in: 'query', schema: { type: 'integer', default: 0 } },
          ],
          responses: {
            '200': {
              description: 'The newest entry, or with verbosity 2 all of them.',
              content: { 'application/json': {} },
            },
            '400': refused('The identity cannot be read, or the id is no UUID.'),
            '403': { description: 'It is another organization’s.' },
            '404': { description: 'Nothing is known of it.' },
            '500': { description: 'The payload tracker does not answer.' },
          },
        },
      },
      '/version': {
        get: {
          summary: 'Which build this is',
          security: [],
          responses: { '200': { description: 'Version and commit.', content: { 'application/json': {} } } },
        },
      },
    },
  };
}
