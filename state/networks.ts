/*
 * Networks as people write them, in one spelling each; and which of many an address is in.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { ipv6Groups, plainAddress } from '../protocol/transport/addresses.js';
import { Failure } from '../protocol/failure.js';

/** What an IPv6 host has to itself: a ban of one address would ban nobody. */
const IPV6_PREFIX = 64;
/** Of the IPv6 addresses that stand for IPv4 ones. */
const MAPPED_PREFIX = 96;

/**
 * The network that `text` is: ADDRESS/PREFIX without the bits of hosts, or one IPv4 address. Of an IPv6 address its /64. Throws
 * USAGE, also for everything (/0).
 */
export function networkOf(text: string): string {
  const [address = '', bits, ...rest] = text.split('/');
  if (mappedAddress(address) !== undefined && !(Number(bits) < MAPPED_PREFIX)) {
    return networkOf(
      `${mappedAddress(address)}${bits === undefined ? '' : `/${Number(bits) - MAPPED_PREFIX}`}`,
    );
  }
  const plain = plainAddress(address);
  const groups = isIPv4(plain)
    ? plain.split('.').map(Number)
    : ipv6Groups(plain)?.map((group) => parseInt(group, 16));
  const [width, longest, usual] = isIPv4(plain) ? [8, 32, 32] : [16, 128, IPV6_PREFIX];
  const prefix = bits === undefined ? usual : /^[1-9]\d{0,2}$/.test(bits) ? Number(bits) : Infinity;
  if (groups === undefined || rest.length > 0 || prefix > longest) {
    throw new Failure(
      'USAGE',
      `'${text}' is no address and no network: write one such as 192.0.2.7 or 2001:db8::/32`,
    );
  }
  const masked = groups.map((group, index) => {
    const hostBits = width - Math.min(Math.max(prefix - index * width, 0), width);
    return (group >> hostBits) << hostBits;
  });
  if (!isIPv4(plain)) return `${ipv6Text(masked)}/${prefix}`;
  return prefix === longest ? masked.join('.') : `${masked.join('.')}/${prefix}`;
}

export class NetworkSet {
  /** Apart: a BlockList finds IPv4 addresses in IPv6 networks that hold ::ffff:0:0/96. */
  readonly #lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** `networks`: of networkOf(). */
  constructor(networks: Iterable<string>) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = familyOf(address);
      this.#lists[family].addSubnet(address, prefix === undefined ? 32 : Number(prefix), family);
    }
  }

  /** Whether the address is in one of them. */
  has(address: string): boolean {
    const [plain = ''] = plainAddress(address).split('%', 1);
    const family = familyOf(plain);
    return this.#lists[family].check(plain, family);
  }
}

/** The IPv4 address that one of ::ffff:0:0/96 stands for, however it is spelled. */
function mappedAddress(address: string): string | undefined {
  const groups = ipv6Groups(address)?.map((group) => parseInt(group, 16));
  if (groups === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:65535';
  return isMapped ? [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.') : undefined;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}

/** The shortest spelling. */
function ipv6Text(groups: readonly number[]): string {
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1);
}
