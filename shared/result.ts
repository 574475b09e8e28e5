// A verb answers with a Result: either its value or an expected refusal, as facts without HTTP numbers.
// Faults (database, network) are thrown instead; bugs crash.

export type Result<T, R> = { ok: true; value: T } | { ok: false; refusal: R };

export const ok = <T>(value: T): { ok: true; value: T } => ({ ok: true, value });
export const refused = <R>(refusal: R): { ok: false; refusal: R } => ({ ok: false, refusal });
