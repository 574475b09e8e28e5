// Settings that every container reads.

import { logLevel, optionalWholeNumber, postgresUrl, wholeNumber } from '../shared/settings.ts';

export const commonVariables = {
  DATABASE_URL: postgresUrl('the database'),
  LOG_LEVEL: logLevel(),
  // Health takes 30 seconds of silence for death.
  HEARTBEAT_SECONDS: wholeNumber(5, 1, 10),
  PROBE_PORT: optionalWholeNumber(1, 65_535),
};
