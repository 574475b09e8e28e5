// Who calls: the socket's peer, or, where that is a proxy of ours, whom the proxies in front say they were called by.
// Each proxy adds the address it saw to the end of X-Forwarded-For, so it is read from its end, and only as far as the
// proxies are ours; anything before that is the caller's own invention.

import { isAddressBlock, isWithin } from '../../shared/payments/address-block.ts';

export function clientAddress(
  peer: string,
  forwardedFor: string | null,
  trustedProxies: readonly string[],
): string {
  const isTrusted = (address: string) => trustedProxies.some((block) => isWithin(address, block));
  const hops = (forwardedFor ?? '').split(',').map((hop) => hop.trim());
  let address = peer;
  while (isTrusted(address)) {
    const before = hops.pop();
    // A hop that is no address leaves the proxy that passed it on.
    if (before === undefined || before.includes('/') || !isAddressBlock(before)) return address;
    address = before;
  }
  return address;
}
