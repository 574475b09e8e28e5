// For tests: a port in front of a real server that can go away (connections cut, new ones refused), fall silent
// (connections stay, nothing passes) and come back, without touching the server itself.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpGate {
  port: number;
  goAway(): Promise<void>;
  fallSilent(): void;
  comeBack(): Promise<void>;
}

export async function openTcpGate(server: { host: string; port: number }): Promise<TcpGate> {
  const pairs = new Set<[Socket, Socket]>();
  let silent = false;
  const gate = createServer((inner) => {
    const outer = connect(server);
    const pair: [Socket, Socket] = [inner, outer];
    pairs.add(pair);
    for (const [from, to] of [pair, [outer, inner] as const]) {
      from.on('data', (data) => !silent && to.write(data));
      from.on('error', () => {});
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      gate.once('error', reject);
      gate.listen(port, '127.0.0.1', () => {
        gate.off('error', reject);
        resolve();
      });
    });
  await listen(0);
  const { port } = gate.address() as AddressInfo;

  return {
    port,
    goAway: () =>
      new Promise((resolve) => {
        gate.close(() => resolve());
        for (const pair of pairs) for (const socket of pair) socket.destroy();
      }),
    fallSilent: () => {
      silent = true;
    },
    comeBack: async () => {
      silent = false;
      if (!gate.listening) await listen(port);
    },
  };
}
