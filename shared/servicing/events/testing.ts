// One event of each type with all of its fields, and what tests need to know of them.

export interface Sample {
  payload: Record<string, unknown>;
  /** Without these it cannot be read. */
  required: readonly string[];
  /** Amounts, by their path. */
  amounts?: readonly string[];
  /** Free texts about people, by their path. */
  personal?: readonly string[];
  /** Enums, by their path. */
  words?: readonly string[];
  /** Other names of fields. */
  aliases?: Readonly<Record<string, string>>;
}

const account: Sample = {
  payload: {
    account_id: 'A1',
    account_number: 'N1',
    customer_id: 'C1',
    borrowers: [{ customer_id: 'C2', role: 'guarantor' }],
    status: 'ACTIVE',
    loan_amount: 1000.5,
    current_balance: 900.25,
    loan_fee: 100,
    loan_total_payable: 1100.5,
    opened_date: '2026-01-05',
    application_number: 'P1',
    last_payment_date: '2026-02-01T10:00:00Z',
    last_payment_amount: 200.25,
    currency: 'EUR',
  },
  required: ['account_id'],
  amounts: ['loan_amount', 'current_balance', 'loan_fee', 'loan_total_payable', 'last_payment_amount'],
  words: ['status'],
};

const schedule: Sample = {
  payload: {
    account_id: 'A1',
    schedule_id: 'S1',
    loan_amount: 1000,
    total_amount: 1100.5,
    fee: 100.5,
    n_payments: 2,
    payment_frequency: 'monthly',
    payments: [
      { payment_number: 1, due_date: '2026-02-01', amount: 550.25, status: 'PAID', paid_amount: 550.25 },
      { payment_number: 2, due_date: '2026-03-01', amount: 550.25, status: 'SCHEDULED' },
    ],
    created_date: '2026-01-05T10:00:00',
  },
  required: ['account_id', 'schedule_id'],
  amounts: ['loan_amount', 'total_amount', 'fee', 'payments.0.amount', 'payments.0.paid_amount'],
  words: ['payments.0.status'],
};

const accountPayment: Sample = {
  payload: {
    account_id: 'A1',
    payment_id: 'Y1',
    schedule_id: 'S1',
    payment_number: 1,
    amount: 550.25,
    scheduled_date: '2026-02-01',
  },
  required: ['account_id'],
  amounts: ['amount'],
};

const customer: Sample = {
  payload: {
    customer_id: 'C1',
    first_name: 'Ada',
    last_name: 'Lovelace',
    email_address: 'ada@example.org',
    mobile_phone_number: '+49 170 1234567',
    date_of_birth: '1990-12-10',
    ekyc_status: 'successful',
    residential_address: { street: 'Main Street 1', number: 1 },
    mailing_address: { street: 'Main Street 2' },
    cif: 'K1',
  },
  required: ['customer_id'],
  personal: [
    ...['first_name', 'last_name', 'email_address', 'mobile_phone_number', 'date_of_birth', 'ekyc_status'],
    ...['residential_address.street', 'mailing_address.street'],
  ],
};

const chat = { conversation_id: 'V1', customer_id: 'C1', application_number: 'P1', account_id: 'A1' };
const chatAliases = { application_number: 'application_id' };
const spoken = (name: string, ...aliases: string[]): Sample => ({
  payload: { ...chat, [name]: 'I cannot pay' },
  required: ['conversation_id'],
  personal: [name],
  aliases: { ...chatAliases, ...Object.fromEntries(aliases.slice(0, 1).map((alias) => [name, alias])) },
});

const decision: Sample = {
  payload: { ...chat, decision: 'APPROVED', reason: 'good payer' },
  required: ['conversation_id'],
  personal: ['reason'],
  words: ['decision'],
  aliases: { ...chatAliases, decision: 'outcome' },
};
const assessment: Sample = {
  payload: { ...chat, outcome: 'PASS', result: 'all well', score: 0.75, details: { note: 'lives alone' } },
  required: ['conversation_id'],
  personal: ['result', 'details.note'],
  words: ['outcome'],
  aliases: { application_number: 'application_id' },
};

const requested: Sample = {
  payload: {
    request_id: 'W1',
    account_id: 'A1',
    customer_id: 'C1',
    amount: 10.5,
    reason: 'gone abroad',
    requested_by: 'joe',
    requested_at: '2026-03-01T10:00:00Z',
  },
  required: ['request_id'],
  amounts: ['amount'],
  personal: ['reason'],
  aliases: { account_id: 'loan_account_id' },
};

const decided = (by: 'approved' | 'rejected' | 'cancelled'): Sample => ({
  payload: {
    request_id: 'W1',
    account_id: 'A1',
    customer_id: 'C1',
    [`${by}_by`]: 'mary',
    [`${by}_at`]: '2026-03-02T10:00:00Z',
    comment: 'as discussed',
  },
  required: ['request_id'],
  personal: ['comment'],
  aliases: { account_id: 'loan_account_id', comment: 'reason' },
});

const settled = (more: Record<string, string>): Sample => ({
  payload: {
    request_id: 'W1',
    account_id: 'A1',
    customer_id: 'C1',
    settled_at: '2026-03-02T10:00:01Z',
    ...more,
  },
  required: ['request_id'],
});
const ofKind = (sample: Sample): Sample => ({
  ...sample,
  payload: { ...sample.payload, kind: 'fee_waiver' },
});

const collectionCase: Sample = {
  payload: {
    case_id: 'K1',
    account_id: 'A1',
    customer_id: 'C1',
    reason: 'lost their job',
    step: 2,
    operator_id: 'mary',
  },
  required: [],
  personal: ['reason'],
  aliases: { step: 'rung' },
};

const receivedPayment = {
  id: '948abe3f-7b28-5f0d-aa95-cff22e42aeaf',
  reference_number: 'CHK-1',
  loan_account_number: 'N1',
  cif: 'K1',
  amount: 100.5,
  currency: 'EUR',
  payment_date: '2026-11-20T08:30:00.000Z',
  payment_channel: 'counter',
  source: 'api',
  metadata: { payer: 'Ada' },
};

export const samples: Readonly<Record<string, Sample>> = {
  'account.created.v1': account,
  'account.updated.v1': account,
  'account.status_changed.v1': {
    payload: { account_id: 'A1', new_status: 'SUSPENDED' },
    required: ['account_id', 'new_status'],
    words: ['new_status'],
    aliases: { new_status: 'status' },
  },
  'account.closed.v1': {
    payload: { account_id: 'A1', closure_reason: 'PAID_OFF', closed_at: '2026-06-01T10:00:00Z' },
    required: ['account_id'],
    words: ['closure_reason'],
    aliases: { closed_at: 'closed_date' },
  },
  'account.schedule.created.v1': schedule,
  'account.schedule.updated.v1': schedule,
  'loan.aging.updated.v1': {
    payload: { account_id: 'A1', days_past_due: 12, bucket: '1-30', arrears_amount: 50.25 },
    required: ['account_id'],
    amounts: ['arrears_amount'],
    aliases: { days_past_due: 'dpd', arrears_amount: 'total_overdue_amount' },
  },
  'payment.scheduled.v1': { ...accountPayment, aliases: { scheduled_date: 'due_date' } },
  'payment.processed.v1': {
    payload: { ...accountPayment.payload, processed_date: '2026-02-02', status: 'FAILED' },
    required: ['account_id'],
    amounts: ['amount'],
    words: ['status'],
    aliases: { processed_date: 'processed_at' },
  },
  'customer.created.v1': customer,
  'customer.changed.v1': customer,
  'customer.updated.v1': customer,
  'customer.verified.v1': {
    payload: { customer_id: 'C1', ekyc_status: 'successful', verified_at: '2026-01-05T10:00:00Z' },
    required: ['customer_id'],
    personal: ['ekyc_status'],
  },
  'customer.identity.linked.v1': {
    payload: {
      customer_id: 'C1',
      identifier_type: 'passport',
      identifier_value: 'L01X00T47',
      identifiers: [{ type: 'email', value: 'ada@example.org' }],
    },
    required: ['customer_id'],
    personal: ['identifier_value', 'identifiers.0.value'],
  },
  'customer.identity.merged.v1': {
    payload: {
      surviving_customer_id: 'C1',
      merged_customer_id: 'C2',
      merged_customer_ids: ['C3'],
    },
    required: ['surviving_customer_id'],
    aliases: { surviving_customer_id: 'customer_id' },
  },
  'application.submitted.v1': {
    payload: {
      application_number: 'P1',
      customer_id: 'C1',
      account_id: 'A1',
      loan_amount: 1000.5,
      loan_purpose: 'a wedding',
      submitted_at: '2026-01-01T10:00:00Z',
      status: 'RECEIVED',
    },
    required: ['application_number'],
    amounts: ['loan_amount'],
    personal: ['loan_purpose'],
    words: ['status'],
    aliases: { application_number: 'application_id' },
  },
  'application.status_changed.v1': {
    payload: { application_number: 'P1', customer_id: 'C1', new_status: 'APPROVED' },
    required: ['application_number', 'new_status'],
    words: ['new_status'],
    aliases: { application_number: 'application_id', new_status: 'status' },
  },
  conversation_started: {
    payload: { ...chat, channel: 'web' },
    required: ['conversation_id'],
    aliases: chatAliases,
  },
  user_input: spoken('utterance', 'text'),
  assistant_response: spoken('utterance', 'message'),
  conversation_summary: spoken('summary', 'text'),
  applicationDetail_changed: {
    payload: { ...chat, loan_amount: 500.5, loan_purpose: 'a wedding', income: { employer: 'Acme' } },
    required: ['conversation_id'],
    amounts: ['loan_amount'],
    personal: ['loan_purpose', 'income.employer'],
    aliases: chatAliases,
  },
  final_decision: decision,
  final_credit_decision: decision,
  identityRisk_assessment: assessment,
  credit_assessment_serviceability_result: assessment,
  noticeboard_post: {
    payload: { ...chat, topic: 'hardship', agent: 'scout', content: 'has three children' },
    required: ['conversation_id'],
    personal: ['content', 'topic'],
    aliases: { ...chatAliases, content: 'text' },
  },
  'writeoff.requested.v1': requested,
  'writeoff.approved.v1': decided('approved'),
  'writeoff.rejected.v1': decided('rejected'),
  'writeoff.cancelled.v1': decided('cancelled'),
  'approval.requested.v1': ofKind(requested),
  'approval.approved.v1': ofKind(decided('approved')),
  'approval.rejected.v1': ofKind(decided('rejected')),
  'approval.cancelled.v1': ofKind(decided('cancelled')),
  'approval.expired.v1': ofKind({
    payload: { request_id: 'W1', expired_at: '2026-03-02T10:00:00Z', comment: 'nobody decided about Ada' },
    required: ['request_id'],
    personal: ['comment'],
  }),
  'approval.executed.v1': ofKind(settled({ transaction_id: 'T1' })),
  'approval.failed.v1': ofKind(settled({ failure: 'exceeds_fees' })),
  'notification.sent.v1': {
    payload: {
      notification_id: 'T1',
      customer_id: 'C1',
      account_id: 'A1',
      kind: 'reminder',
      channel: 'EMAIL',
      template_name: 'reminder-1',
      recipient: 'ada@example.org',
      sent_at: '2026-03-01T10:00:00Z',
    },
    required: ['notification_id'],
    personal: ['recipient'],
    aliases: { template_name: 'template' },
  },
  'notification.delivery_failed.v1': {
    payload: {
      notification_id: 'T1',
      customer_id: 'C1',
      account_id: 'A1',
      channel: 'EMAIL',
      error_type: 'bounced',
      error_message: 'no such mailbox: ada@example.org',
      failed_at: '2026-03-01T10:01:00Z',
    },
    required: ['notification_id'],
    personal: ['error_message'],
  },
  'statement.generated.v1': {
    payload: {
      statement_id: 'M1',
      account_id: 'A1',
      customer_id: 'C1',
      period_start: '2026-01-01',
      period_end: '2026-01-31',
      document_ref: 'https://documents.example.org/ada-lovelace.pdf',
      generated_at: '2026-02-01T10:00:00Z',
    },
    required: ['statement_id'],
    personal: ['document_ref'],
    aliases: { document_ref: 'url' },
  },
  'collection.case.opened.v1': collectionCase,
  'collection.case.cured.v1': collectionCase,
  'collection.case.exhausted.v1': collectionCase,
  'collection.case.hardship_paused.v1': collectionCase,
  'collection.case.resumed.v1': collectionCase,
  'collection.case.stop_contact_applied.v1': collectionCase,
  'collection.case.step_advanced.v1': collectionCase,
  'payment.recorded': {
    payload: { payment: receivedPayment },
    required: ['payment'],
    amounts: ['payment.amount'],
    personal: ['payment.metadata.payer', 'payment.source'],
  },
  'payment.reversed': {
    payload: {
      payment: receivedPayment,
      reversal: { amount: 20.5, currency: 'EUR', reversed_total: 20.5, reason: 'paid twice' },
    },
    required: ['payment', 'reversal'],
    amounts: ['payment.amount', 'reversal.reversed_total'],
    personal: ['payment.metadata.payer', 'reversal.reason'],
  },
  'ledger.balance.changed.v1': {
    payload: { account_id: 'A1', version: 3, total_outstanding: 900.25, currency: 'EUR' },
    required: ['account_id', 'version', 'total_outstanding'],
    amounts: ['total_outstanding'],
  },
};

/** The payload with one value, by its path, replaced. */
export function withValue(
  payload: Record<string, unknown>,
  path: string,
  change: (value: unknown) => unknown,
): Record<string, unknown> {
  const copy = structuredClone(payload);
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at: Record<string, unknown> = copy;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = change(at[last]);
  return copy;
}
