// Readable lines about long work: 'Postgres: initialising ... done (2.1 s)'. A terminal sees the line at once and its
// end when it comes; a pipe gets whole lines only, and hears of the start when the work takes longer than a second.

let openStep: object | undefined;

function closeOpenLine(): void {
  if (openStep) process.stdout.write('\n');
  openStep = undefined;
}

export function say(line: string): void {
  closeOpenLine();
  process.stdout.write(`${line}\n`);
}

/** Does the work and says how it went; what the work throws goes on to the caller. Steps may overlap. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const self = {};
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  if (process.stdout.isTTY) {
    closeOpenLine();
    process.stdout.write(`${what} ... `);
    openStep = self;
  } else {
    timer = setTimeout(() => say(`${what} ...`), 1000);
  }
  const end = (word: string) => {
    clearTimeout(timer);
    const result = `${word} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`;
    if (openStep === self) {
      openStep = undefined;
      process.stdout.write(`${result}\n`);
    } else say(`${what} ... ${result}`);
  };
  try {
    const result = await work();
    end('done');
    return result;
  } catch (error) {
    end('failed');
    throw error;
  }
}
