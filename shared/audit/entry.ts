// An entry of the audit trail that code writes itself, because no table's change says it: a read, a sign-in, a command.

export interface NewEntry {
  /** What it is about and what happened to it: `customer.read`. */
  action: string;
  subject?: { kind: string; id: string | Resolved | null } | undefined;
  /** Nothing that names people. */
  details?: Record<string, unknown> | undefined;
}

/** A subject that the database finds: `sql` is a query of one column for the text that `placeholder` stands for. */
export interface Resolved {
  by: string;
  sql: (placeholder: string) => string;
}
