// Settings that every container reads.

import { logLevel, postgresUrl, wholeNumber } from '../shared/settings.ts';

export const commonVariables = {
  DATABASE_URL: postgresUrl('the database'),
  LOG_LEVEL: logLevel(),
  HEARTBEAT_SECONDS: wholeNumber(5, 1, 3_600),
};
