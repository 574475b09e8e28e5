// The passwords that everybody tries first, into the table of breached ones: where nobody has loaded a greater list,
// they are what keeps people from them.

import { createHash } from 'node:crypto';
import { dictionary } from '@zxcvbn-ts/language-common';
import pg from 'pg';

const rowsAtOnce = 10_000;

/** Adds them where there are none yet, and answers how many. Safe to repeat. */
export async function addCommonPasswords(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query('select exists (select from staff.breached_passwords) as filled');
    if (rows[0].filled) return 0;
    const hashes = dictionary['passwords-common'].map((password) =>
      createHash('sha1').update(password).digest('hex'),
    );
    let added = 0;
    for (let i = 0; i < hashes.length; i += rowsAtOnce) {
      const { rowCount } = await client.query(
        `insert into staff.breached_passwords select decode(h, 'hex') from unnest($1::text[]) h on conflict do nothing`,
        [hashes.slice(i, i + rowsAtOnce)],
      );
      added += rowCount ?? 0;
    }
    return added;
  } finally {
    await client.end();
  }
}
