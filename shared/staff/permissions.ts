// Every permission there is. Routes declare one each, API keys carry them as scopes, roles (roles.ts) bundle them.

export const permissions = {
  'payments:read': 'Read payments and conflicts',
  'payments:record': 'Record payments',
  'payments:reverse': 'Reverse payments',
  'postings:read': 'Read where payments are posted in the ledger, and what is held',
  'postings:match': 'Say which loan a held payment is for',
  'postings:move': 'Put a posted payment on other loans',
  'conflicts:decide': 'Accept or dismiss payment conflicts',
  'customers:read': 'Read customers, loans and conversations; what names people is masked',
  'customers:personal': 'Read what names people unmasked; every such read is audited',
  'notes:write': 'Write notes about customers, amend them, pin them',
  'ledger:read': 'Read what the ledger has of a loan: transactions, balance, statement, schedule, aging',
  'ledger:repay': 'Record repayments in the ledger',
  'ledger:fees': 'Charge late and dishonour fees',
  'ledger:waive': 'Waive fees, or ask for it beyond the limits',
  'ledger:write-off': 'Write off what is owed, or ask for it beyond the limits',
  'ledger:adjust': 'Adjust balances, or ask for it beyond the limits',
  'ledger:disburse': 'Disburse loans, or ask for it beyond the limits',
  'requests:read': 'Read requests that wait for a second person, and the limits',
  'requests:decide': 'Approve and reject the requests of others, of what one may do oneself',
  'limits:manage': 'Set up to how much somebody with a role does alone; not for roles of theirs',
  'views:share': 'Share saved views with the team or everybody',
  'jobs:read': 'Read the jobs and how they went',
  'jobs:run': 'Ask for a run of a job',
  'staging:read': 'Read quarantined rows of the staging table',
  'staging:correct': 'Correct and release quarantined rows',
  'rejected:read': 'Read webhook bodies that were signed and could not be read',
  'rejected:resend': 'Send such a body again, or dismiss it',
  'notices:read': 'Read notices of providers',
  'notices:retry': 'Have a provider asked about a notice again',
  'dead-letters:read': 'Read events that could not be folded, with what they say about people',
  'dead-letters:replay': 'Have such events read and folded again',
  'dead-letters:discard': 'Discard such events',
  'metrics:read': 'Read the metrics and statistics of the whole system',
  'users:read': 'Read users and their roles',
  'users:manage': 'Create, change and deactivate users, and assign roles',
  'roles:manage': 'Make and change roles',
  'sessions:read': 'Read sessions; everybody may read their own',
  'sessions:end': 'End sessions; everybody may end their own',
  'keys:read': 'Read API keys, without their secrets',
  'keys:manage': 'Create, rotate and revoke API keys',
  'audit:read': 'Read the audit trail and the security reports',
} as const;

export type Permission = keyof typeof permissions;

/** Those about what belongs to somebody. All other things are everybody's, so that less than `all` of them is nothing. */
const aboutBelongings: ReadonlySet<Permission> = new Set([
  'notes:write',
  'views:share',
  'users:read',
  'users:manage',
  'sessions:read',
  'sessions:end',
  'keys:read',
  'keys:manage',
]);

/** Whether a reach of `team` or `own` is worth something. */
export const isAboutBelongings = (permission: Permission): boolean => aboutBelongings.has(permission);

export const isPermission = (text: string): text is Permission => Object.hasOwn(permissions, text);
