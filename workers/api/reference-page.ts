// The reference as one page, made of the OpenAPI document: everything is on it and open, so that the browser's search
// finds it and a reader's voice reads it in order. Nothing is loaded and nothing runs.

import { html, raw } from 'hono/html';
import type { Answer, Content, OpenApi, Operation, Parameter } from '../openapi.ts';
import { style } from './reference-style.ts';

export interface Page {
  html: string;
  contentSecurityPolicy: string;
}

type Html = ReturnType<typeof html>;
interface Listed {
  method: string;
  path: string;
  operation: Operation;
}

export async function renderReference(document: OpenApi): Promise<Page> {
  const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const groups = document.tags.map(({ name }) => ({
    name,
    id: `tag-${name.toLowerCase().replace(/\W+/g, '-')}`,
    operations: listed.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.info.title}: reference</title>
<style>${raw(style)}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header>
<h1>${document.info.title}</h1>
<p>${document.info.summary}. For programs: <a href="/openapi.json">openapi.json</a></p>
</header>
<div class="columns">
<nav aria-label="Operations">
${groups.map(
  (group) => html`<h2><a href="#${group.id}">${group.name}</a></h2>
<ul>${group.operations.map(
    ({ method, path, operation }) =>
      html`<li><a href="#${operation.operationId}"><span class="method ${method.toLowerCase()}">${method}</span> <span class="path">${breakable(path)}</span></a></li>`,
  )}</ul>`,
)}
</nav>
<main id="content" tabindex="-1">
<p>${marked(document.info.description)}</p>
<p>Every request but to what is open carries one of: a browser's session cookie, an access token or an API key as
<code>Authorization: Bearer</code>. Refusals are <code>application/problem+json</code>; decide by their <code>code</code>.</p>
${groups.map(
  (group) => html`<section aria-labelledby="${group.id}">
<h2 id="${group.id}">${group.name}</h2>
${group.operations.map(showOperation)}
</section>`,
)}
</main>
</div>
</body>
</html>`;
  return { html: String(page), contentSecurityPolicy: await policyOf(style) };
}

/** Styles are those of the page itself, told by their hash; everything else is nothing. */
async function policyOf(css: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(css));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
}

function showOperation({ method, path, operation }: Listed): Html {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const permission = operation['x-permission'];
  return html`<article aria-labelledby="${operationId}">
<h3 id="${operationId}"><a href="#${operationId}"><span class="method ${method.toLowerCase()}">${method}</span> <code>${breakable(path)}</code></a></h3>
<p>${marked(summary)}</p>
${description ? html`<p>${marked(description)}</p>` : ''}
<p class="permission">${allowedTo(permission)}</p>
${parameters.length > 0 ? showParameters(parameters) : ''}
${
  requestBody
    ? html`<h4>Body</h4>
<p>${marked(requestBody.description)}</p>${showContent(requestBody.content)}`
    : ''
}
<h4>Answers</h4>
<dl>${Object.entries(responses).map(([status, answer]) => showAnswer(status, answer))}</dl>
</article>`;
}

const allowedTo = (permission: Operation['x-permission']): Html => {
  if (permission === 'open') return html`Open: nobody is asked who they are`;
  if (permission === 'self' || permission === 'settled') return html`Every caller, about themselves`;
  return html`Permission <code>${permission}</code>`;
};

const showParameters = (parameters: readonly Parameter[]): Html => html`<h4>Parameters</h4>
${table(
  parameters.map(({ name, in: place, required, schema, description, example }) => ({
    name,
    type: `${typeOf(schema)}, ${place}`,
    needed: required,
    about: [description, example === undefined ? undefined : `Example: ${example}`],
  })),
)}`;

function showAnswer(status: string, { description, content }: Answer): Html {
  const bodies = Object.fromEntries(
    Object.entries(content ?? {}).filter(([type]) => type !== 'application/problem+json'),
  );
  return html`<dt><code class="status s${status.charAt(0)}">${status}</code></dt>
<dd><p>${marked(description)}</p>${showContent(bodies)}</dd>`;
}

const showContent = (content: Content): Html[] =>
  Object.entries(content).map(([type, { schema, example }]) => {
    const rows = rowsOf(schema);
    return html`<p class="type"><code>${type}</code> ${rows.length > 0 ? '' : typeOf(schema)}</p>
${rows.length > 0 ? table(rows) : ''}
${example === undefined ? '' : html`<pre tabindex="0" aria-label="Example">${typeof example === 'string' ? example : JSON.stringify(example, null, 2)}</pre>`}`;
  });

interface Row {
  name: string;
  type: string;
  needed: boolean;
  about: Array<string | undefined>;
}

const table = (
  rows: readonly Row[],
): Html => html`<div class="scroll" tabindex="0" role="group" aria-label="Fields"><table>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">About</th></tr></thead>
<tbody>${rows.map(
  ({ name, type, needed, about }) =>
    html`<tr><th scope="row"><code>${breakable(name)}</code></th><td>${type}${needed ? '' : html` <em>optional</em>`}</td><td>${marked(about.filter(Boolean).join('. '))}</td></tr>`,
)}</tbody>
</table></div>`;

interface Schema {
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  const?: unknown;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  additionalProperties?: Schema | boolean;
  default?: unknown;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  $ref?: string;
}

const choices = ({ anyOf, oneOf }: Schema) => anyOf ?? oneOf;
const isNull = ({ type }: Schema) => type === 'null';
const mostWords = 12;

/** In few words. */
function typeOf(given: unknown): string {
  const schema = given as Schema;
  const alternatives = choices(schema);
  if (alternatives) return [...new Set(alternatives.map(typeOf))].join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) {
    const words = schema.enum.slice(0, mostWords).map((word) => JSON.stringify(word));
    return words.join(' | ') + (schema.enum.length > mostWords ? ' | ...' : '');
  }
  if (schema.type === 'array') return schema.items ? `list of ${typeOf(schema.items)}` : 'list';
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return schema.format ?? schema.type ?? 'anything';
}

function limitsOf({ minLength, maxLength, minimum, maximum, pattern, default: otherwise }: Schema): string[] {
  const between = (low: number | undefined, high: number | undefined, what: string) =>
    high === undefined || high === Number.MAX_SAFE_INTEGER ? [] : [`${low ?? 0} to ${high}${what}`];
  return [
    ...between(minLength, maxLength, ' characters'),
    ...between(minimum, maximum, ''),
    ...(pattern === undefined ? [] : [`Pattern \`${pattern}\``]),
    ...(otherwise === undefined ? [] : [`Default \`${otherwise}\``]),
  ];
}

/** Every field, those inside by the path that leads to them. */
function rowsOf(given: unknown, prefix = ''): Row[] {
  const schema = given as Schema;
  const alternatives = choices(schema)?.filter((one) => !isNull(one));
  if (alternatives) {
    const rows = alternatives.flatMap((one) => rowsOf(one, prefix));
    return rows.filter((row, i) => rows.findIndex(({ name }) => name === row.name) === i);
  }
  if (schema.items) return rowsOf(schema.items, `${prefix}[]`);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${prefix === '' ? '' : '.'}${name}`;
    const about = [field.description, ...limitsOf(field)];
    const needed = schema.required?.includes(name) ?? false;
    return [{ name: path, type: typeOf(field), needed, about }, ...rowsOf(field, path)];
  });
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Text in which `code` is marked. */
const marked = (text: string) => raw(escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>'));

/** A long path or name may end its line at any part. */
const breakable = (path: string) => raw(escaped(path).replace(/([/.])/g, '<wbr>$1'));
