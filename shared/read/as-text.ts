// SQL that writes values as screens show them; the arguments are SQL expressions.

/** Decimal text in major units with the currency's decimals; null without a currency. */
export const decimal = (amount: string, currency: string) =>
  `round(${amount}, payment_service.currency_exponent(${currency}))::text`;

/** ISO 8601 in UTC, with milliseconds. */
export const instant = (at: string) => `to_char(${at} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
