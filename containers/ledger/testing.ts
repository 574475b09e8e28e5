// For tests only: a caller of the ledger over real gRPC, and what a loan needs to be opened.

import { randomUUID } from 'node:crypto';
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ErrorInfo } from '../../proto/generated/google/rpc/error_details.ts';
import { Status } from '../../proto/generated/google/rpc/status.ts';
import { OpenLoanRequest, SetScheduleRequest } from '../../proto/generated/loan_ledger.ts';

export const key = 'the-key-of-the-ledger-for-its-tests';

interface Definition<Request, Response> {
  path: string;
  requestSerialize: (request: Request) => Buffer;
  responseDeserialize: (bytes: Buffer) => Response;
}

export interface Asking {
  /** Undefined: shows none. */
  bearer?: string | undefined;
  actor?: string;
  deadlineMs?: number;
}

/** A status that is not OK, with its reason. */
export interface Refusal {
  code: number;
  reason: string | undefined;
  message: string;
}

export function refusalIn(error: ServiceError): Refusal {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const told = bytes ? Status.decode(bytes as Buffer) : undefined;
  const [info] = told?.details ?? [];
  return {
    code: error.code,
    reason: info && ErrorInfo.decode(info.value).reason,
    message: error.details,
  };
}

export function openCaller(port: number, secure: ChannelCredentials = credentials.createInsecure()) {
  const client = new Client(`localhost:${port}`, secure, { 'grpc.use_local_subchannel_pool': 1 });
  const metadataOf = ({ bearer, actor }: Asking) => {
    const metadata = new Metadata();
    if (bearer !== undefined) metadata.set('authorization', `Bearer ${bearer}`);
    if (actor !== undefined) metadata.set('x-actor', actor);
    return metadata;
  };
  const shown = (asking: Asking): Asking => ('bearer' in asking ? asking : { ...asking, bearer: key });
  return {
    client,
    /** Rejects with the ServiceError. */
    ask: <Request, Response>(
      { path, requestSerialize, responseDeserialize }: Definition<Request, Response>,
      request: Request,
      asking: Asking = {},
    ): Promise<Response> =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + (asking.deadlineMs ?? 20_000) };
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadataOf(shown(asking)),
          options,
          (error, response) => (error ? reject(error) : resolve(response as Response)),
        );
      }),
    stream: <Request, Response>(
      { path, requestSerialize, responseDeserialize }: Definition<Request, Response>,
      request: Request,
      asking: Asking = {},
    ) =>
      client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadataOf(shown(asking)),
      ),
    close: () => client.close(),
  };
}
export type LedgerCaller = ReturnType<typeof openCaller>;

/** The refusal that the call ends with; throws when it does not. */
export const refusalOf = (call: Promise<unknown>): Promise<Refusal> =>
  call.then(
    (answer) => {
      throw new Error(
        `it was answered: ${JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
      );
    },
    (error) => refusalIn(error),
  );

export const newId = (what = 'loan') => `${what}-${randomUUID()}`;

/** 1000.00 and a fee of 50.00, paid out. */
export const loanOf = (loanAccountId: string, more: Partial<OpenLoanRequest> = {}): OpenLoanRequest =>
  OpenLoanRequest.fromPartial({
    loanAccountId,
    accountNumber: `A-${loanAccountId}`,
    customerId: 'customer-1',
    applicationNumber: `APP-${loanAccountId}`,
    currency: 'EUR',
    principal: '1000.00',
    establishmentFee: '50.00',
    openedOn: '2026-01-05',
    product: 'bridging',
    disbursed: true,
    idempotencyKey: `open:${loanAccountId}`,
    ...more,
  });

/** Three instalments of 350.00. */
export const scheduleOf = (
  loanAccountId: string,
  more: Partial<SetScheduleRequest> = {},
): SetScheduleRequest =>
  SetScheduleRequest.fromPartial({
    loanAccountId,
    scheduleId: `S-${loanAccountId}`,
    currency: 'EUR',
    instalments: [1, 2, 3].map((number) => ({
      paymentNumber: number,
      dueDate: `2026-0${number + 1}-05`,
      amount: '350.00',
    })),
    madeAt: new Date('2026-01-05T10:00:00Z'),
    ...more,
  });
