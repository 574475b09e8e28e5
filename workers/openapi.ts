// Declared routes as OpenAPI 3.1. Nothing is written twice: parameters, bodies and answers are the schemas that validate,
// problems follow from what a route asks for.

import * as z from 'zod/mini';
import { sparse } from './fields.ts';
import { usualLimits } from './json-body.ts';
import { type ProblemCode, problems } from './problem.ts';
import type { Declared, RouteSpec } from './route.ts';

type Json = Record<string, unknown>;
type Shape = z.ZodMiniType;

/** Paths of a document, or a part of them. */
export type Paths = Record<string, Record<string, Operation>>;

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  'x-permission': RouteSpec['permission'];
  security: Json[];
  parameters: Parameter[];
  requestBody?: { description: string; required: boolean; content: Content };
  responses: Record<string, Answer>;
}
export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: Json;
  description?: string;
  example?: unknown;
}
export type Content = Record<string, { schema: Json; example?: unknown }>;
export interface Answer {
  description: string;
  headers?: Json;
  content?: Content;
}

export interface OpenApi {
  openapi: '3.1.0';
  info: { title: string; version: string; summary: string; description: string };
  servers: Array<{ url: string }>;
  tags: Array<{ name: string }>;
  paths: Paths;
  components: Record<string, unknown>;
}

/** What was asked and answered, by operation (`GET /api/v1/jobs`) and status. */
export type Examples = Record<string, Record<string, Example>>;
export interface Example {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
  answer?: unknown;
}

const problemType = 'application/problem+json';

/** Every refusal; further members are the code's own. */
export const problemShape = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.optional(z.string()),
  code: z.enum(Object.keys(problems) as ProblemCode[]),
  requestId: z.string(),
  errors: z.optional(z.array(z.object({ field: z.string(), code: z.string(), message: z.string() }))),
});

/** A schema as JSON Schema, of what is sent or of what is answered. */
export function schemaOf(shape: Shape, io: 'input' | 'output'): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // A format says as much, and can be read.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
      // Queries are text, whatever stands in them.
      if (jsonSchema.type === 'integer' && typeof jsonSchema.default === 'string')
        jsonSchema.default = Number(jsonSchema.default);
    },
  });
  return schema as Json;
}

/** Every problem that the route may answer. */
export function problemsOf({ method, spec }: Pick<Declared, 'method' | 'spec'>): ProblemCode[] {
  const { permission, query, body, bodyShape, problems: own = [] } = spec;
  const isOpen = permission === 'open';
  const isSafe = method === 'GET' || method === 'HEAD';
  const codes: ProblemCode[] = [
    ...(query ? (['invalid_query'] as const) : []),
    ...(isOpen ? [] : (['unauthenticated'] as const)),
    ...(isOpen || isSafe ? [] : (['cross_site'] as const)),
    ...(isOpen || permission === 'self' ? [] : (['password_must_change'] as const)),
    'not_found',
    ...(body || bodyShape
      ? ([
          ...(['malformed_body', 'request_timeout', 'body_too_large', 'unsupported_media_type'] as const),
          'invalid_request',
        ] as const)
      : []),
    ...own,
    ...(['rate_limited', 'internal_error', 'unavailable'] as const),
  ];
  return [...new Set(codes)];
}

/** As OpenAPI writes a path: `/jobs/{job}`. */
export const templateOf = (path: string): string => path.replace(/:(\w+)(\{[^}]*\})?\??/g, '{$1}');

export function pathsOf(declared: readonly Declared[], examples: Examples = {}): Paths {
  const paths: Paths = {};
  for (const { method, path, spec } of declared) {
    const template = templateOf(path);
    paths[template] ??= {};
    const own = examples[`${method} ${path}`] ?? {};
    paths[template][method.toLowerCase()] = operationOf({ method, path, spec }, own);
  }
  return paths;
}

function operationOf(declared: Declared, examples: Record<string, Example>): Operation {
  const { method, path, spec } = declared;
  const { summary, description, tag, permission, body, bodyShape } = spec;
  const [asked] = Object.values(examples);
  const sent = body ?? bodyShape;
  return {
    operationId: nameOf(method, path),
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [tag],
    'x-permission': permission,
    security: permission === 'open' ? [] : [{ session: [] }, { token: [] }, { key: [] }],
    parameters: parametersOf(declared, asked),
    ...(sent && {
      requestBody: {
        description: spec.bodyLimits ?? usualLimits,
        required: true,
        content: {
          'application/json': {
            schema: schemaOf(sent, 'input'),
            ...(asked?.body === undefined ? {} : { example: asked.body }),
          },
        },
      },
    }),
    responses: answersOf(declared, examples),
  };
}

const nameOf = (method: string, path: string): string =>
  method.toLowerCase() +
  path
    .split(/[^\w:]+/)
    .filter(Boolean)
    .map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word)))
    .join('');
const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

function parametersOf({ path, spec }: Declared, example: Example | undefined): Parameter[] {
  const given = { path: example?.params, query: example?.query, header: undefined };
  const of = (place: Parameter['in'], name: string, schema: Json, required: boolean): Parameter => {
    const { description, ...rest } = schema;
    const value = given[place]?.[name];
    return {
      name,
      in: place,
      required,
      ...(typeof description === 'string' ? { description } : {}),
      schema: rest,
      ...(value === undefined ? {} : { example: value }),
    };
  };
  const named = (place: Parameter['in'], shape: Shape | undefined): Parameter[] => {
    if (!shape) return [];
    const { properties = {}, required = [] } = schemaOf(shape, 'input') as {
      properties?: Record<string, Json>;
      required?: string[];
    };
    return Object.entries(properties).map(([name, schema]) =>
      of(place, name, schema, required.includes(name) || place === 'path'),
    );
  };
  const inPath = named('path', spec.params);
  const others = [...path.matchAll(/:(\w+)/g)]
    .map(([, name]) => name as string)
    .filter((name) => !inPath.some((known) => known.name === name))
    .map((name) => of('path', name, { type: 'string', minLength: 1 }, true));
  return [...inPath, ...others, ...named('query', spec.query), ...named('header', spec.headers)];
}

function answersOf(declared: Declared, examples: Record<string, Example>): Record<string, Answer> {
  const { answers, mediaType, query } = declared.spec;
  const types = mediaType === undefined ? [] : [mediaType].flat();
  const responses: Record<string, Answer> = {};
  for (const [status, whole] of Object.entries(answers)) {
    const shape = whole && sparse(whole, query);
    const { answer: example } = examples[status] ?? {};
    const shown = example === undefined ? {} : { example };
    const isJson = (type: string) => /\bjson\b/.test(type);
    const leadsElsewhere = status.startsWith('3');
    const mediaTypes = leadsElsewhere ? [] : types.length > 0 ? types : shape ? ['application/json'] : [];
    const content = Object.fromEntries(
      mediaTypes.map((type) => [
        type,
        shape && (isJson(type) || types.length === 0)
          ? { schema: schemaOf(shape, 'output'), ...shown }
          : { schema: { type: 'string' }, ...(shape ? {} : shown) },
      ]),
    );
    responses[status] = {
      description: meaningOf(Number(status)),
      headers,
      ...(mediaTypes[0] && { content }),
    };
  }
  for (const [status, codes] of byStatus(problemsOf(declared))) {
    const titles = codes.map((code) => `\`${code}\`: ${problems[code][1]}`).join('. ');
    const known = responses[status];
    responses[status] = {
      description: known ? `${known.description}. ${titles}` : titles,
      headers: status === '429' || status === '503' ? { ...headers, ...waiting } : headers,
      content: { ...known?.content, [problemType]: { schema: problemSchema(codes) } },
    };
  }
  return responses;
}

function byStatus(codes: readonly ProblemCode[]): Map<string, ProblemCode[]> {
  const statuses = new Map<string, ProblemCode[]>();
  for (const code of codes) {
    const status = String(problems[code][0]);
    statuses.set(status, [...(statuses.get(status) ?? []), code]);
  }
  return new Map([...statuses].toSorted(([a], [b]) => Number(a) - Number(b)));
}

const headers = { 'x-request-id': { $ref: '#/components/headers/request-id' } };
const waiting = { 'retry-after': { $ref: '#/components/headers/retry-after' } };
const problemSchema = (codes: readonly ProblemCode[]): Json => ({
  allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: codes } } }],
});

const meanings: Record<number, string> = {
  200: 'Done',
  201: 'Made',
  202: 'Taken on',
  204: 'Done; there is nothing to say',
  302: 'Elsewhere',
  303: 'Elsewhere',
  304: 'Not changed',
  503: 'Not well',
};
const meaningOf = (status: number): string => meanings[status] ?? 'Refused';

/** What the paths refer to. */
export const components = (sessionCookie: string): Json => ({
  schemas: { Problem: schemaOf(problemShape, 'output') },
  headers: {
    'request-id': {
      description: 'Names this request in the logs',
      required: true,
      schema: { type: 'string' },
    },
    'retry-after': {
      description: 'Seconds after which asking again may help',
      schema: { type: 'integer', minimum: 1 },
    },
  },
  securitySchemes: {
    session: {
      type: 'apiKey',
      in: 'cookie',
      name: sessionCookie,
      description: "A browser's session, after signing in",
    },
    token: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'An access token',
    },
    key: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'rk_...',
      description: 'An API key with the permission as a scope',
    },
  },
});
