// What was accepted and cannot be recorded is kept whole, with the reason, until somebody has looked at it and put it
// back. Burying is the end of what a process can do by itself; nothing is ever thrown away.

import type { Database } from '../database.ts';
import type { BuriedArrival } from './buried-arrival.ts';
import { countBuriedArrivals, readBuriedArrivals, saveBuriedArrival, saveReplay } from './store.ts';

/** Throws DatabaseFault; an entry that is buried already stays as it is. */
export const buryArrival = (db: Database, buried: BuriedArrival): Promise<void> =>
  saveBuriedArrival(db, {
    ...buried,
    arrival: buried.arrival.toWellFormed().replaceAll('\u0000', '\uFFFD'),
  });

/** How many wait for somebody. */
export const buriedWaiting = (db: Database): Promise<number> => countBuriedArrivals(db);

/** Those that wait, the oldest first. */
export const buriedArrivals = (db: Database): Promise<BuriedArrival[]> => readBuriedArrivals(db);

/** To be called once the entry is in the stream again. */
export const markReplayed = (db: Database, buried: BuriedArrival): Promise<void> => saveReplay(db, buried);
