// Processes that come back when they are killed. They live on from round to round.

import { type ContainerProcess, spawnContainer } from '../../containers/testing.ts';

export class Cast<Name extends string> {
  #alive = new Map<Name, ContainerProcess>();
  #env: Readonly<Record<Name, Record<string, string>>>;
  #containerOf: (name: Name) => string;

  /** Each has the name of its container, or the container is told. */
  constructor(
    env: Readonly<Record<Name, Record<string, string>>>,
    containerOf: (name: Name) => string = (name) => name,
  ) {
    this.#env = env;
    this.#containerOf = containerOf;
    for (const name of Object.keys(env) as Name[]) this.#start(name);
  }

  #start(name: Name): void {
    this.#alive.set(name, spawnContainer(this.#containerOf(name), this.#env[name]));
  }

  pidOf(name: Name): number {
    return this.#alive.get(name)?.child.pid as number;
  }

  /** Returns when the process is gone and another one is starting. */
  async kill(name: Name): Promise<void> {
    const { child, exited } = this.#alive.get(name) as ContainerProcess;
    child.kill('SIGKILL');
    const { signal } = await exited;
    // One that ended by itself has something to say, and a round must not hide it.
    if (signal !== 'SIGKILL') throw new Error(`${name} had ended by itself: ${this.#words(name)}`);
    this.#start(name);
  }

  freeze(name: Name): void {
    this.#alive.get(name)?.child.kill('SIGSTOP');
  }

  thaw(name: Name): void {
    this.#alive.get(name)?.child.kill('SIGCONT');
  }

  #words(name: Name): string {
    const { errors, lines } = this.#alive.get(name) as ContainerProcess;
    return `${errors()} ${JSON.stringify(lines.slice(-5))}`;
  }

  /** Stops them in order; each must end as it should. */
  async end(): Promise<void> {
    const ends = [...this.#alive].map(async ([name, { child, exited }]) => {
      child.kill('SIGTERM');
      const { code, signal } = await exited;
      if (code !== 0) throw new Error(`${name} ended with ${signal ?? code}: ${this.#words(name)}`);
    });
    await Promise.all(ends);
  }

  /** For when something has gone wrong already. */
  killAll(): void {
    for (const { child } of this.#alive.values()) child.kill('SIGKILL');
  }
}
