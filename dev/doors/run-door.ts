// A door as a process of its own: settings from the environment, one line when it listens, a clean stop on SIGTERM or
// SIGINT. Refuses to start, with every fault listed, when a setting is missing or the port is taken.

import { SettingsFault } from '../../shared/settings.ts';
import type { Door } from './door.ts';

const stopMs = 10_000;

export async function runDoor(name: string, open: () => Promise<Door>): Promise<void> {
  let door: Door;
  try {
    door = await open();
  } catch (error) {
    console.error(error instanceof SettingsFault ? error.message : `${name} cannot start: ${String(error)}`);
    process.exitCode = 1;
    return;
  }
  console.log(`${name} listens on ${door.url}`);
  const stop = async () => {
    setTimeout(() => process.exit(1), stopMs).unref();
    await door.close();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
