// People who do not exist: names, addresses, telephones and mailboxes that belong to nobody. Mailboxes are of the domains
// kept for examples, telephones of a country code that no country has, so that nothing sent to them arrives anywhere.

import type { Chance } from '../../test/seeded.ts';

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const firstNames = words(`
  Aaliyah Abel Adele Ahmed Aiko Alba Alejandro Amara Amelie Anders Anjali Anouk Arjun Astrid Aurelio Bao Beatriz Benedikt
  Bilal Bronte Callum Carmen Cedric Chiara Chloe Conor Daisuke Dalia Dara Diego Ebony Edda Eilidh Elias Emeka Esther Fatima
  Felix Finn Fleur Freya Gabriel Giulia Goran Grace Hamish Hana Harriet Hassan Helga Hugo Ibrahim Ida Imani Ingrid Isla
  Ivan Jana Jarrah Jasper Jelena João Josephine Kaito Kalinda Karim Keira Kiri Kofi Lachlan Laila Lars Leilani Leo Linh
  Luca Lucia Maeve Magnus Malika Marcus Margot Mateo Matilda Mei Mikael Mira Nadia Naveen Ngaire Niamh Nikolai Noor Olive
  Omar Oscar Otto Pania Paolo Petra Phoebe Priya Quentin Rafael Ravi Reem Renata Rhys Rosa Ruby Sami Sanjay Saoirse Selma
  Sienna Sofia Soren Talia Tane Tariq Tess Theo Thuy Tobias Uma Valentina Vera Viktor Wanda Wei Xavier Yara Yusuf Zara Zoë`);

const lastNames = words(`
  Abernethy Achterberg Adeyemi Alvarado Amsel Andrade Ashdown Baptiste Barlow Bellamy Bergstrom Birrell Blackwood Boateng
  Brankovic Brightwater Calloway Castellanos Chaudhary Corrigan Cresswell Dambrosio Delacroix Desai Dragan Drummond Eastman
  Ekberg Elsworth Eriksen Fairweather Farouk Fitzgibbon Fontaine Galloway Gasparini Goldfinch Greenhalgh Gunawan Haddad
  Halloran Hartigan Hashimoto Hoang Holloway Ibarra Ilic Iyer Jankowski Jayawardena Kahananui Kaplan Karlsson Kavanagh
  Kerrigan Kowalczyk Lindqvist Lockyer Macallan Mahmoud Mandrake Marchetti Mbeki Merriweather Montague Nakamura Ngata
  Nightingale Novak Nyambura Oakley O'Brien Okafor Olafsson Orlov Pascoe Pereira Petrakis Nguyễn Pham Quilty Rahman Rasmussen
  Redfern Rossiter Sandoval Santangelo Satterley Schuster Sefton Silvestri Sorensen Stavros Takahashi Tamihana Thackeray
  Tolentino Tremaine Underhill Vandenberg Vasquez Villareal Wainwright Wexler Whitlock Winterbourne Yamamoto Yilmaz Zielinski`);

const streetNames = words(`
  Acacia Amber Banksia Beacon Bluegum Bottlebrush Bramble Canary Cedar Cobblestone Copper Cormorant Daybreak Dovecote
  Driftwood Elderberry Falcon Fernleigh Foundry Garnet Grevillea Harbourview Heron Ironbark Jacaranda Juniper Kestrel
  Lantern Lighthouse Lilac Lyrebird Magpie Marigold Millstream Mulberry Orchard Osprey Paperbark Pelican Quarry Rosella
  Saffron Sandstone Sheoak Silverleaf Tanner Thistle Wattle Weaver Willowbank`);
const streetTypes = words('Street Road Avenue Lane Court Drive Place Crescent Parade Terrace');
/** Places that are on no map, with the first digits of their postcodes. */
const places = (
  [
    ['NSW', '29', 'Altonbridge Brackenfell Corraview Duskwater Eastmarsh Ferndale-Heights Greywattle'],
    ['VIC', '39', 'Hollowbrook Inverleigh-Park Jindabrook Kingsmere-Hill Larkspur-Vale Mistwood'],
    ['QLD', '49', 'Northwattle Orangefield Palmreach Quandong-Bay Riverbend-North Sunridge'],
    ['WA', '69', 'Tidewater-Point Umberfield Verdant-Hills Westmarch'],
    ['SA', '59', 'Wrenford Yarrowdale Zephyr-Plains'],
    ['TAS', '79', 'Coldharbour Applecross-Glen'],
  ] as const
).flatMap(([state, code, suburbs]) =>
  words(suburbs).map((suburb, i) => ({
    state,
    suburb: suburb.replaceAll('-', ' '),
    postcode: `${code}${String(10 + i * 7)}`,
  })),
);
const mailDomains = ['example.com', 'example.org', 'example.net'] as const;

type Address = ReturnType<typeof addressOf>;

export function addressOf(chance: Chance, type: 'RESIDENTIAL' | 'MAILING') {
  const { state, suburb, postcode } = chance.pick(places);
  const unit = chance.next() < 0.25 ? String(chance.between(1, 60)) : null;
  const number = String(chance.between(1, 240));
  const name = chance.pick(streetNames);
  const streetType = chance.pick(streetTypes);
  return {
    address_type: type,
    unit_number: unit,
    street_number: number,
    street_name: name,
    street_type: streetType,
    suburb,
    state,
    postcode,
    country: 'AU',
    full_address: `${unit ? `${unit}/` : ''}${number} ${name} ${streetType}, ${suburb} ${state} ${postcode}`,
  };
}

export const phoneOf = (chance: Chance): string => {
  const digits = String(chance.between(0, 99_999_999)).padStart(8, '0');
  return chance.next() < 0.7
    ? `+9994${digits}`
    : `+999 4${digits.slice(0, 2)} ${digits.slice(2, 5)} ${digits.slice(5)}`;
};

const plain = (name: string): string =>
  name
    .normalize('NFD')
    .replace(/[^a-z]/gi, '')
    .toLowerCase();

export const mailboxOf = (chance: Chance, first: string, last: string): string =>
  `${plain(first)}.${plain(last)}${chance.between(1, 9_999)}@${chance.pick(mailDomains)}`;

export interface Person {
  firstName: string;
  lastName: string;
  birthDate: string;
  email: string;
  phone: string;
  address: Address;
}

export function personOf(chance: Chance): Person {
  const firstName = chance.pick(firstNames);
  const lastName = chance.pick(lastNames);
  const two = (n: number) => String(n).padStart(2, '0');
  const born = [chance.between(1946, 2005), two(chance.between(1, 12)), two(chance.between(1, 28))];
  return {
    firstName,
    lastName,
    birthDate: born.join('-'),
    email: mailboxOf(chance, firstName, lastName),
    phone: phoneOf(chance),
    address: addressOf(chance, 'RESIDENTIAL'),
  };
}

export const lastNameAfterMarriage = (chance: Chance): string => chance.pick(lastNames);
