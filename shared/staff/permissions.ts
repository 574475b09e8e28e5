// Every permission there is. Routes declare one each, API keys carry them as scopes, roles will bundle them.

export const permissions = {
  'payments:read': 'Read payments and conflicts',
  'conflicts:decide': 'Accept or dismiss payment conflicts',
  'staging:read': 'Read quarantined rows of the staging table',
  'staging:correct': 'Correct and release quarantined rows',
  'metrics:read': 'Read the metrics of the whole system',
} as const;

export type Permission = keyof typeof permissions;

export const isPermission = (text: string): text is Permission => Object.hasOwn(permissions, text);
