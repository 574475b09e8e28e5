// Every permission there is. Routes declare one each, API keys carry them as scopes, roles will bundle them.

export const permissions = {
  'payments:read': 'Read payments and conflicts',
  'payments:record': 'Record payments',
  'payments:reverse': 'Reverse payments',
  'conflicts:decide': 'Accept or dismiss payment conflicts',
  'jobs:read': 'Read the jobs and how they went',
  'jobs:run': 'Ask for a run of a job',
  'staging:read': 'Read quarantined rows of the staging table',
  'staging:correct': 'Correct and release quarantined rows',
  'metrics:read': 'Read the metrics and statistics of the whole system',
} as const;

export type Permission = keyof typeof permissions;

export const isPermission = (text: string): text is Permission => Object.hasOwn(permissions, text);
