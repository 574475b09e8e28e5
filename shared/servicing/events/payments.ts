// Events of our own log (docs/events.md): payments as they were received, and what was taken back of them. And the
// balance of our ledger, for deployments whose balances come from there.

import * as z from 'zod/mini';
import { type EventType, eventType } from '../event-type.ts';
import {
  amount,
  currencyCode,
  day,
  id,
  instant,
  money,
  named,
  optionalId,
  time,
  wholeNumber,
} from '../reading.ts';

const payment = z.object({
  id,
  reference_number: optionalId,
  loan_account_number: optionalId,
  cif: optionalId,
  amount,
  currency: currencyCode,
  payment_date: time,
});

export const paymentEvents: Record<string, EventType> = {
  'payment.recorded': eventType({
    schema: z.object({ payment }),
    facts: ['payment'],
    claims: ({ payment: p }, { business }) => [
      {
        kind: 'received_payment',
        id: p.id,
        creation: true,
        values: {
          referenceNumber: p.reference_number,
          loanAccountNumber: p.loan_account_number,
          cif: p.cif,
          amount: money(named(p.amount, 'payment.amount'), 'payment.amount', p, business),
          paidAt: instant(p.payment_date, 'payment.payment_date', business),
          paidOn: day(p.payment_date, 'payment.payment_date', business),
        },
      },
    ],
  }),
  // Totals, so that the order of reversals does not matter: what has been taken back only grows.
  'payment.reversed': eventType({
    schema: z.object({ payment, reversal: z.object({ reversed_total: amount, currency: currencyCode }) }),
    facts: ['payment', 'reversal'],
    claims: ({ payment: p, reversal }, { business }) => {
      const total = named(reversal.reversed_total, 'reversal.reversed_total');
      const reversed = named(
        money(total, 'reversal.reversed_total', reversal, business),
        'reversal.reversed_total',
      );
      return [
        {
          kind: 'received_payment',
          id: p.id,
          values: {
            referenceNumber: p.reference_number,
            loanAccountNumber: p.loan_account_number,
            cif: p.cif,
            amount: money(p.amount, 'payment.amount', p, business),
            reversed,
          },
          order: (reversed.split(' ')[0] ?? '').padStart(30, '0'),
        },
      ];
    },
  }),
  'ledger.balance.changed.v1': eventType({
    schema: z.object({
      account_id: id,
      version: wholeNumber,
      total_outstanding: amount,
      currency: currencyCode,
    }),
    facts: ['account_id', 'version', 'total_outstanding', 'currency'],
    claims: (p, { business }) => [
      {
        kind: 'account',
        id: p.account_id,
        values: {
          ledgerBalance: money(
            named(p.total_outstanding, 'total_outstanding'),
            'total_outstanding',
            p,
            business,
          ),
        },
        // The ledger counts its changes of each loan; its clock does not matter.
        order: String(p.version).padStart(12, '0'),
      },
    ],
  }),
};
