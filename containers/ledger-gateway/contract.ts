// The methods of the ledger by their HTTP paths, and how their messages are read from JSON and written as JSON: strictly,
// by protobuf's own mapping (https://protobuf.dev/programming-guides/json/), with names in camelCase. The contract comes
// from `npm run proto`.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { isRead, type LedgerMethod, serviceNames } from '../ledger-method.ts';
import type { LedgerServiceName } from '../ledger-settings.ts';

export interface GatewayMethod extends LedgerMethod<Message, Message> {
  /** `<service>/<Method>`. */
  name: string;
  isRead: boolean;
  isStream: boolean;
  /** Throws with a readable message. */
  readRequest(json: JsonValue): Message;
  writeResponse(response: Message): JsonValue;
}

const file = join(import.meta.dirname, '../../proto/generated/contract.binpb');

/** By name. */
export function readContract(): ReadonlyMap<string, GatewayMethod> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(file)));
  const names = Object.entries(serviceNames) as [LedgerServiceName, string][];
  const methods = names.flatMap(([service, typeName]) =>
    (registry.getService(typeName)?.methods ?? []).map(
      ({ name, input, output, methodKind }): GatewayMethod => {
        const path = `/${typeName}/${name}`;
        return {
          name: `${service}/${name}`,
          path,
          isRead: isRead(path),
          isStream: methodKind === 'server_streaming',
          ...mapping(input, output),
        };
      },
    ),
  );
  return new Map(methods.map((method) => [method.name, method]));
}

const mapping = (input: DescMessage, output: DescMessage) => ({
  requestSerialize: (request: Message) => Buffer.from(toBinary(input, request)),
  responseDeserialize: (bytes: Buffer) => fromBinary(output, bytes),
  readRequest: (json: JsonValue) => fromJson(input, json),
  // What a message does not say is there all the same, as its default.
  writeResponse: (response: Message) => toJson(output, response, { alwaysEmitImplicit: true }),
});
