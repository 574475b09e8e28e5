// One loan from its opening to its end: paid as planned, late and made good, in hardship, or written off. The amounts of
// a schedule add up to what is payable, and a balance is what is payable less what was paid, to the last minor unit.

import { type Application, asTimeGoesOn } from './conversation.ts';
import { customerIdOf, day, hour, type Life, minute, type Story } from './life.ts';
import type { Written } from './senders.ts';

const frequencies = { weekly: 7 * day, fortnightly: 14 * day, monthly: 30 * day };
type Frequency = keyof typeof frequencies;

interface Instalment {
  number: number;
  /** Midnight of its day, in seconds since 1970. */
  due: number;
  amountMinor: bigint;
  paidMinor: bigint;
  /** Of the payment that is planned for it. */
  paymentId: string;
}

/** Equal parts, the last one with what is left over. */
function partsOf(totalMinor: bigint, count: number): bigint[] {
  const part = totalMinor / BigInt(count);
  const parts = Array<bigint>(count).fill(part);
  parts[count - 1] = totalMinor - part * BigInt(count - 1);
  return parts;
}

const bucketOf = (daysPastDue: number): string =>
  daysPastDue === 0 ? 'current' : daysPastDue <= 30 ? '1_30' : daysPastDue <= 60 ? '31_60' : '61_plus';

const startOfDay = (seconds: number) => seconds - (seconds % day);
const startOfNextMonth = (seconds: number) => {
  const at = new Date(seconds * 1000);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) / 1000;
};

/** `upTo`: the share of loans that are theirs or of those before. `late`: the share of their payments. */
const characters = [
  { name: 'prompt', upTo: 0.6, late: 0.03 },
  { name: 'forgetful', upTo: 0.8, late: 0.3 },
  { name: 'hardship', upTo: 0.9, late: 0.1 },
  { name: 'failing', upTo: 1, late: 0.1 },
] as const;

const staff = ['staff-anneke', 'staff-boris', 'staff-chidi', 'staff-dolores', 'staff-emre'] as const;

/** Gives the account's id. */
export function* loanStory(
  life: Life,
  accountNumber: string,
  application: Application,
): Generator<Written, string> {
  const { chance, customerId } = life;
  const { conversationId } = application;
  const accountId = life.id();
  const scheduleId = life.id();
  const feeMinor = (application.amountMinor * BigInt(chance.between(400, 2_000))) / 10_000n;
  const totalMinor = application.amountMinor + feeMinor;
  const frequency: Frequency =
    life.behindAt(life.now()) < -20
      ? 'monthly'
      : chance.pick(['weekly', 'fortnightly', 'fortnightly', 'monthly']);
  const count =
    frequency === 'monthly' ? chance.between(3, 12) : chance.between(4, frequency === 'weekly' ? 20 : 14);
  const opened = life.now() + chance.between(2, 30) * minute;
  const firstDue = startOfDay(opened) + chance.between(5, 12) * day;
  const instalments = partsOf(totalMinor, count).map(
    (amountMinor, i): Instalment => ({
      number: i + 1,
      due: firstDue + i * frequencies[frequency],
      amountMinor,
      paidMinor: 0n,
      paymentId: life.id(),
    }),
  );
  let balanceMinor = totalMinor;
  let nextStatement = startOfNextMonth(opened);
  let isSuspended = false;
  let openCase: string | undefined;
  /** Where cases have no ids, the loan has but one. */
  const namesCases = chance.next() < 0.8;

  const dice = chance.next();
  const character = characters.find(({ upTo }) => dice < upTo) ?? characters[0];
  const breaksAt = chance.between(2, Math.max(2, Math.floor(count * 0.7)));

  const account = (type: string, payload: Record<string, unknown>) =>
    life.tell('accounts', type, { account_id: accountId, ...payload }, conversationId);
  const collection = (what: string, payload: Record<string, unknown> = {}) =>
    life.tell(
      'collections',
      `collection.case.${what}.v1`,
      {
        ...(namesCases && { case_id: openCase }),
        account_id: accountId,
        customer_id: customerId,
        ...payload,
      },
      conversationId,
    );
  const approval = (what: string, payload: Record<string, unknown>) =>
    life.tell('approvals', `writeoff.${what}.v1`, payload, conversationId);

  function* notify(kind: string, channel: 'email' | 'sms'): Story {
    const about = { notification_id: life.id(), customer_id: customerId, account_id: accountId };
    yield life.tell(
      'notices',
      'notification.sent.v1',
      {
        ...about,
        kind,
        channel,
        [chance.next() < 0.7 ? 'template_name' : 'template']: `${kind}_${channel}`,
        recipient: channel === 'email' ? life.person.email : life.person.phone,
        sent_at: life.time(life.now()),
      },
      conversationId,
    );
    if (chance.next() >= 0.04) return;
    life.pass(chance.between(2, 900));
    const [type, message] = chance.pick([
      ['bounced', 'mailbox does not exist'],
      ['rejected', 'the carrier refused the message'],
      ['timeout', 'no answer from the provider'],
    ] as const);
    yield life.tell(
      'notices',
      'notification.delivery_failed.v1',
      { ...about, channel, error_type: type, error_message: message, failed_at: life.time(life.now()) },
      conversationId,
    );
  }

  /** Months that end until then have their statements. */
  function* until(at: number): Story {
    while (nextStatement < at) {
      const start = startOfNextMonth(nextStatement - 45 * day);
      yield* asTimeGoesOn(life, nextStatement + chance.between(1, 8) * hour, accountId);
      const statementId = life.id();
      yield life.tell(
        'notices',
        'statement.generated.v1',
        {
          statement_id: statementId,
          account_id: accountId,
          customer_id: customerId,
          period_start: life.date(start),
          period_end: life.date(nextStatement - day),
          [chance.next() < 0.7 ? 'document_ref' : 'url']: `statements/${accountId}/${statementId}.pdf`,
          generated_at: life.time(life.now()),
        },
        conversationId,
      );
      nextStatement = startOfNextMonth(nextStatement);
    }
    yield* asTimeGoesOn(life, at, accountId);
  }

  const overdue = () => instalments.filter((i) => i.due + day <= life.now() && i.paidMinor < i.amountMinor);
  const aging = () => {
    const missed = overdue();
    const daysPastDue = missed[0] ? Math.floor((life.now() - missed[0].due) / day) : 0;
    const arrears = missed.reduce((sum, i) => sum + i.amountMinor - i.paidMinor, 0n);
    return life.tell(
      'aging',
      'loan.aging.updated.v1',
      {
        account_id: accountId,
        [chance.next() < 0.7 ? 'days_past_due' : 'dpd']: daysPastDue,
        bucket: bucketOf(daysPastDue),
        [chance.next() < 0.7 ? 'arrears_amount' : 'total_overdue_amount']: life.amount(arrears),
      },
      conversationId,
    );
  };

  function* pays(instalment: Instalment, amountMinor: bigint): Story {
    const paidAt = life.now();
    instalment.paidMinor += amountMinor;
    balanceMinor -= amountMinor;
    const isPaid = instalment.paidMinor === instalment.amountMinor;
    yield account('payment.processed.v1', {
      payment_id: isPaid ? instalment.paymentId : life.id(),
      schedule_id: scheduleId,
      payment_number: instalment.number,
      amount: life.amount(amountMinor),
      currency: life.currency,
      [chance.next() < 0.7 ? 'processed_date' : 'processed_at']: life.time(paidAt),
      status: life.word('PaymentStatus', 'PROCESSED'),
    });
    yield account('account.updated.v1', {
      current_balance: life.amount(balanceMinor),
      last_payment_date: life.time(paidAt),
      last_payment_amount: life.amount(amountMinor),
      currency: life.currency,
      ...(chance.next() < 0.3 && {
        status: life.word('AccountStatus', isSuspended ? 'SUSPENDED' : 'ACTIVE'),
      }),
    });
    if (!isPaid || chance.next() < 0.5)
      yield account('account.schedule.updated.v1', {
        schedule_id: scheduleId,
        payments: [
          {
            payment_number: instalment.number,
            status: life.word('InstalmentStatus', isPaid ? 'PAID' : 'PARTIAL'),
            paid_amount: life.amount(instalment.paidMinor),
          },
        ],
      });
  }

  function* paysWhatIsOverdue(): Story {
    for (const instalment of overdue()) {
      life.pass(chance.between(5, 90));
      yield* pays(instalment, instalment.amountMinor - instalment.paidMinor);
    }
    if (isSuspended && balanceMinor > 0n) {
      isSuspended = false;
      yield account('account.status_changed.v1', { new_status: life.word('AccountStatus', 'ACTIVE') });
    }
    yield aging();
    if (openCase) {
      yield collection('cured', { reason: 'arrears paid' });
      openCase = undefined;
    }
  }

  /** Days go by without a payment, up to a number of them; what is done about it grows. */
  function* fallsBehind(due: number, days: number): Story {
    yield* until(due + day + chance.between(2, 5) * hour);
    yield aging();
    if (chance.next() < 0.5)
      yield account('account.schedule.updated.v1', {
        schedule_id: scheduleId,
        payments: overdue().map(({ number }) => ({ payment_number: number, status: 'MISSED' })),
      });
    yield* notify('payment_missed', 'sms');
    const steps = [7, 14, 30, 60, 75];
    for (const [step, onDay] of steps.entries()) {
      if (onDay > days) break;
      yield* until(due + onDay * day + chance.between(6, 10) * hour);
      yield aging();
      if (!openCase) {
        openCase = life.id();
        isSuspended = true;
        yield account('account.status_changed.v1', { new_status: life.word('AccountStatus', 'SUSPENDED') });
        yield collection('opened', { reason: 'arrears' });
        yield* notify('arrears_notice', 'email');
        continue;
      }
      yield collection('step_advanced', { [chance.next() < 0.7 ? 'step' : 'rung']: step + 1 });
      if (step >= 2 && chance.next() < 0.15)
        yield collection('stop_contact_applied', {
          reason: 'asked not to be called',
          operator_id: chance.pick(staff),
        });
      else yield* notify('collection_letter', chance.pick(['email', 'sms']));
    }
    yield* until(due + days * day + chance.between(9, 20) * hour);
  }

  function* isLate(instalment: Instalment): Story {
    const days = chance.next() < 0.6 ? chance.between(1, 6) : chance.between(7, 40);
    yield* fallsBehind(instalment.due, days);
    const half = instalment.amountMinor / 2n;
    if (half > 0n && chance.next() < 0.25) {
      yield* pays(instalment, half);
      yield* until(life.now() + chance.between(1, 6) * day);
    }
    yield* paysWhatIsOverdue();
  }

  /** A pause is agreed: what is still to be paid is put off, and paid then. */
  function* hasHardship(instalment: Instalment): Story {
    yield* fallsBehind(instalment.due, chance.between(8, 16));
    const periods = chance.between(1, 3);
    yield collection('hardship_paused', {
      reason: chance.pick(['loss of work', 'illness', 'separation', 'natural disaster']),
      operator_id: chance.pick(staff),
    });
    const rest = instalments.filter((i) => i.paidMinor < i.amountMinor);
    const by = Math.ceil((life.now() - instalment.due) / frequencies[frequency]) + periods;
    for (const one of rest) one.due += by * frequencies[frequency];
    yield account('account.schedule.updated.v1', {
      schedule_id: scheduleId,
      n_payments: instalments.length,
      payments: rest.map(({ number, due }) => ({
        payment_number: number,
        due_date: life.date(due),
        status: 'SCHEDULED',
      })),
    });
    isSuspended = false;
    yield account('account.status_changed.v1', { new_status: life.word('AccountStatus', 'ACTIVE') });
    yield aging();
    yield* notify('hardship_agreed', 'email');
    yield* until(instalment.due - 4 * day);
    yield collection('resumed', { reason: 'the pause is over', operator_id: chance.pick(staff) });
    yield* until(instalment.due + 10 * hour);
    yield* pays(instalment, instalment.amountMinor - instalment.paidMinor);
    if (openCase) yield collection('cured', { reason: 'back on schedule' });
    openCase = undefined;
  }

  /** Nothing comes any more. True: the loan was written off. */
  function* fails(instalment: Instalment): Generator<Written, boolean> {
    yield* fallsBehind(instalment.due, chance.between(76, 95));
    yield collection('exhausted', { reason: 'no answer to any step' });
    for (;;) {
      life.pass(chance.between(1, 72) * hour);
      const requestId = life.id();
      const asks = chance.pick(staff);
      const decides = chance.pick(staff.filter((who) => who !== asks));
      yield approval('requested', {
        request_id: requestId,
        [chance.next() < 0.7 ? 'account_id' : 'loan_account_id']: accountId,
        customer_id: customerId,
        amount: life.amount(balanceMinor),
        currency: life.currency,
        reason: chance.pick(['cannot be reached', 'insolvent', 'deceased', 'not worth pursuing']),
        requested_by: asks,
        requested_at: life.time(life.now()),
      });
      life.pass(chance.between(2, 60) * hour);
      const verdict = chance.next();
      if (verdict < 0.6) {
        yield approval('approved', {
          request_id: requestId,
          approved_by: decides,
          approved_at: life.time(life.now()),
          comment: 'as the policy has it',
        });
        life.pass(chance.between(1, 20) * minute);
        yield account('account.closed.v1', {
          closure_reason: life.word('ClosureReason', 'WRITTEN_OFF'),
          closed_at: life.time(life.now()),
        });
        return true;
      }
      if (verdict < 0.75) {
        yield approval('cancelled', {
          request_id: requestId,
          cancelled_by: asks,
          cancelled_at: life.time(life.now()),
          reason: 'the customer has called',
        });
        break;
      }
      yield approval('rejected', {
        request_id: requestId,
        rejected_by: decides,
        rejected_at: life.time(life.now()),
        reason: 'one more attempt first',
      });
      if (chance.next() < 0.5) break;
    }
    yield* until(life.now() + chance.between(1, 9) * day);
    yield* paysWhatIsOverdue();
    return false;
  }

  life.passUntil(opened);
  const firstStatus = chance.pick(['PENDING', 'PENDING_DISBURSEMENT', 'ACTIVE']);
  const other =
    life.customer > 0 && chance.next() < 0.04 ? customerIdOf(life.seed, life.customer - 1) : undefined;
  yield account('account.created.v1', {
    account_number: accountNumber,
    customer_id: customerId,
    ...(other && {
      borrowers: [
        { customer_id: customerId, role: 'PRIMARY' },
        { customer_id: other, role: 'CO_BORROWER' },
      ],
    }),
    status: life.word('AccountStatus', firstStatus),
    loan_amount: life.amount(application.amountMinor),
    current_balance: life.amount(totalMinor),
    loan_fee: life.amount(feeMinor),
    loan_total_payable: life.amount(totalMinor),
    opened_date: life.time(life.now()),
    application_number: application.number,
    currency: life.currency,
  });
  yield account('account.schedule.created.v1', {
    schedule_id: scheduleId,
    loan_amount: life.amount(application.amountMinor),
    total_amount: life.amount(totalMinor),
    fee: life.amount(feeMinor),
    n_payments: count,
    payment_frequency: frequency,
    payments: instalments.map(({ number, due, amountMinor }) => ({
      payment_number: number,
      due_date: life.date(due),
      amount: life.amount(amountMinor),
    })),
    created_date: life.time(life.now()),
    currency: life.currency,
  });
  if (firstStatus !== 'ACTIVE') {
    life.pass(chance.between(1, 30) * hour);
    yield account('account.status_changed.v1', { new_status: life.word('AccountStatus', 'ACTIVE') });
  }
  yield* notify('loan_opened', 'email');
  if (chance.next() < 0.02) {
    yield* until(life.now() + chance.between(1, 4) * day);
    yield account('account.closed.v1', {
      closure_reason: life.word('ClosureReason', 'ADMIN_CLOSED'),
      closed_at: life.time(life.now()),
    });
    return accountId;
  }

  for (const instalment of instalments) {
    if (instalment.paidMinor === instalment.amountMinor) continue;
    yield* until(instalment.due - 3 * day + chance.between(6, 9) * hour);
    if (chance.next() < 0.7)
      yield account('payment.scheduled.v1', {
        payment_id: instalment.paymentId,
        schedule_id: scheduleId,
        payment_number: instalment.number,
        amount: life.amount(instalment.amountMinor - instalment.paidMinor),
        [chance.next() < 0.7 ? 'scheduled_date' : 'due_date']: life.date(instalment.due),
        currency: life.currency,
      });
    if (chance.next() < 0.3) yield* notify('payment_reminder', chance.pick(['email', 'sms']));
    yield* until(instalment.due + chance.between(6, 20) * hour);
    const isBreak = instalment.number === breaksAt;
    if (isBreak && character.name === 'failing') {
      if (yield* fails(instalment)) return accountId;
    } else if (isBreak && character.name === 'hardship') yield* hasHardship(instalment);
    else if (chance.next() < character.late) yield* isLate(instalment);
    else yield* pays(instalment, instalment.amountMinor - instalment.paidMinor);
  }
  life.pass(chance.between(1, 30) * minute);
  yield account('account.closed.v1', {
    closure_reason: life.word('ClosureReason', 'PAID_OFF'),
    [chance.next() < 0.7 ? 'closed_at' : 'closed_date']: life.time(life.now()),
  });
  yield* notify('loan_paid_off', 'email');
  return accountId;
}
