// A loan as tests open it.

import type { Terms } from './command.ts';

/** 1,000.00 paid out and a fee of 160.00; no interest. */
export const terms: Terms = {
  accountNumber: 'N1',
  customerId: 'C1',
  applicationNumber: 'APP1',
  currency: 'AUD',
  principal: '1000.00',
  establishmentFee: '160.00',
  totalRepayable: '1160.00',
  interestRateBps: 0,
  openedOn: '2026-10-01',
  product: 'standard',
};
