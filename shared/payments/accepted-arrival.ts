// An arrival as text, for the stream that keeps it while the database is away. Written by one version of this code and
// read by another, so it carries its version. Exact: amounts stay whole minor units, instants stay instants, metadata
// stays the text it was. Reading is a file of its own, because the edge only writes.

import type { Arrival } from './arrival.ts';

export const acceptedVersion = 1;

/** JSON; a date is written as its ISO text and a bigint as its digits. */
export const writeAcceptedArrival = (arrival: Arrival): string =>
  JSON.stringify({ version: acceptedVersion, ...arrival }, (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
