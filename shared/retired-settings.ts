// Names of settings that earlier systems knew and this one does not. Set, they change nothing; a process says so at
// its start instead of leaving someone to wonder. Data only: it reads nothing and refuses nothing.

const reasons: Record<string, string> = {
  DB_HOST: 'DATABASE_URL says where the database is',
  DB_PORT: 'DATABASE_URL says where the database is',
  DB_DATABASE: 'DATABASE_URL names the database',
  DB_USERNAME: 'DATABASE_URL names the role',
  DB_PASSWORD: 'DATABASE_URL carries the password',
  REDIS_HOST: 'REDIS_URL says where Redis is',
  REDIS_PORT: 'REDIS_URL says where Redis is',
  METRICS_PORT: '/metrics is on the front door',
  REFERENCE_CACHE_TTL_DAYS: 'references are kept for good, purging one would let its payment in twice',
};

/** One line for each retired name that is set, without its value. */
export function retiredSettings(env: Record<string, unknown>): string[] {
  return Object.entries(reasons)
    .filter(([name]) => env[name] !== undefined && env[name] !== '')
    .map(([name, reason]) => `${name} has no effect: ${reason}`);
}
