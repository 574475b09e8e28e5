// The reference: /openapi.json and /docs of everything under one address, on every runtime.

import { describe, expect, test } from 'vitest';
import type { OpenApi, Operation } from '../../workers/openapi.ts';
import { templateOf } from '../../workers/openapi.ts';
import { ask } from './asking.ts';
import { described } from './described.ts';
import { runtimesAndContainer } from './runtimes.ts';
import { useWorld } from './world.ts';

const operationsOf = (document: OpenApi): Array<[string, Operation]> =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

/** Every `$ref` in it. */
function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : refsIn(inner),
  );
}

describe.each(runtimesAndContainer)('on %s', (runtime) => {
  const world = useWorld(runtime);

  test('has every declared route, and no other', async () => {
    const { status, body } = await ask(`${world.edge.urls.api}/openapi.json`);
    expect(status).toBe(200);
    const declared = new Set(described.map(({ method, path }) => `${method} ${templateOf(path)}`));
    expect(
      operationsOf(body)
        .map(([name]) => name)
        .toSorted(),
    ).toEqual([...declared].toSorted());
  });

  test('is a document that programs can read', async () => {
    const { body } = await ask(`${world.edge.urls.api}/openapi.json`);
    expect(body.openapi).toBe('3.1.0');
    const operations = operationsOf(body);
    const ids = operations.map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const ref of new Set(refsIn(body))) {
      const target = ref
        .slice(2)
        .split('/')
        .reduce((at, name) => at?.[name], body);
      expect(target, ref).toBeDefined();
    }
    for (const [name, operation] of operations) {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const described = operation.parameters.filter((parameter) => parameter.in === 'path');
      expect(described.map((parameter) => parameter.name).toSorted(), name).toEqual(inPath.toSorted());
      for (const requirement of operation.security) {
        for (const scheme of Object.keys(requirement)) {
          expect(body.components.securitySchemes, name).toHaveProperty(scheme);
        }
      }
    }
  });

  test('is a page, too, that loads nothing and runs nothing', async () => {
    const { status, headers, text } = await ask(`${world.edge.urls.api}/docs`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/html/);
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style));
    const hash = Buffer.from(digest).toString('base64');
    expect(headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(text).not.toMatch(/<script|<link|<img|<iframe|\sstyle=|\son\w+=|url\(/i);
    const { body } = await ask(`${world.edge.urls.api}/openapi.json`);
    for (const [, { operationId }] of operationsOf(body)) {
      expect(text).toContain(`<h3 id="${operationId}">`);
      expect(text).toContain(`href="#${operationId}"`);
    }
  });
});
