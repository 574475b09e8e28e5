// What a method of the ledger is, told by its path `/<package>.<service>/<Method>` and by what it is asked with.

import type { LedgerServiceName } from './ledger-settings.ts';

/** As ts-proto generates it. */
export interface LedgerMethod<Request, Response> {
  path: string;
  requestSerialize(value: Request): Buffer;
  responseDeserialize(bytes: Buffer): Response;
}

export const serviceNames: Record<LedgerServiceName, string> = {
  accounting: 'billie.ledger.v1.AccountingLedgerService',
  loans: 'recoup.ledger.v1.LoanLedgerService',
};

/** As people name it: `Service.Method`. */
export const methodName = (path: string): string => path.replace(/^\/(?:[^/]*\.)?([^/]+)\/(.+)$/, '$1.$2');

export const isAmong = (services: readonly LedgerServiceName[], path: string): boolean =>
  services.some((service) => path.startsWith(`/${serviceNames[service]}/`));

export const isRead = (path: string): boolean => /\/(Get|List|Watch)[^/]*$/.test(path);

/** Whether the ledger does it once however often it is asked: a read, or a write that has a key. */
export function mayRepeat(path: string, request: object): boolean {
  const given = (field: string) => {
    const value = (request as Record<string, unknown>)[field];
    return typeof value === 'string' && value !== '';
  };
  if (isRead(path) || given('idempotencyKey')) return true;
  // The payment is the key; and a schedule has its id and its time.
  return (path.endsWith('/RecordRepayment') && given('paymentId')) || path.endsWith('/SetSchedule');
}
