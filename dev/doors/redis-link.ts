// One connection to Redis for all callers. While Redis is away a command fails at once instead of waiting in a queue;
// the link comes back by itself. A Redis that stays silent for too long is given up, with everything sent to it.

import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, ErrorReply } from 'redis';
import { type Call, Refusal, reasonOf } from './door.ts';
import { type Reply, replyTypes } from './upstash-reply.ts';

export type Command = (string | Buffer)[];

const limits = {
  firstConnectMs: 2_000,
  connectMs: 2_000,
  silenceMs: 5_000,
  pingMs: 2_000,
  retryMs: 500,
  queue: 100_000,
};

const newClient = (url: string) =>
  createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    commandsQueueMaxLength: limits.queue,
    // Without node-redis' own timeout: it ends once a command is written and costs a timer each. The door has one.
    commandOptions: { typeMapping: replyTypes, timeout: undefined },
    pingInterval: limits.pingMs,
    socket: {
      connectTimeout: limits.connectMs,
      socketTimeout: limits.silenceMs,
      reconnectStrategy: (retries: number) => Math.min(20 * 2 ** retries, limits.retryMs),
    },
  });

export class RedisLink {
  readonly #url: string;
  #client: ReturnType<typeof newClient>;
  #lastFault = 'no connection yet';

  private constructor(url: string) {
    this.#url = url;
    this.#client = newClient(url);
  }

  /** Waits a moment for Redis, then goes on without it. Throws only for a URL that is none. */
  static async open(url: string): Promise<RedisLink> {
    const link = new RedisLink(url);
    const known = new Promise((resolve) => link.#client.once('ready', resolve).once('error', resolve));
    link.#connect();
    await Promise.race([known, sleep(limits.firstConnectMs, undefined, { ref: false })]);
    return link;
  }

  /**
   * Sends the commands back to back, nothing of another caller between them. An error from Redis is that command's
   * reply; when the link fails the whole call fails, and what was sent may or may not have happened.
   */
  async send(call: Call, commands: Command[]): Promise<Reply[]> {
    const client = this.#client;
    call.onAbandoned = (why) => {
      if (why === 'late' && client === this.#client) this.#replace('it stayed silent');
    };
    try {
      return await Promise.all(commands.map((command) => client.sendCommand<Reply>(command).catch(asReply)));
    } catch (error) {
      // Part of the commands may have gone out, a MULTI without its EXEC for one: nobody else may follow it.
      if (client === this.#client && client.isReady) this.#replace(reasonOf(error));
      throw new Refusal(503, `Redis is away: ${this.#lastFault}`);
    } finally {
      call.onAbandoned = undefined;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #connect(): void {
    this.#client.on('error', (error) => {
      this.#lastFault = reasonOf(error);
    });
    // It tries until it succeeds; it rejects only when the link is closed or replaced meanwhile.
    this.#client.connect().catch(() => {});
  }

  #replace(fault: string): void {
    this.#lastFault = fault;
    this.#client.destroy();
    this.#client = newClient(this.#url);
    this.#connect();
  }
}

function asReply(error: unknown): Reply {
  if (error instanceof ErrorReply) return error;
  throw error;
}
