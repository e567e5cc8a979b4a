/** Numbers of the record types that are told apart; any other passes through by its number. */
export const types = {
	A: 1,
	NS: 2,
	CNAME: 5,
	SOA: 6,
	PTR: 12,
	MX: 15,
	TXT: 16,
	AAAA: 28,
	SRV: 33,
	OPT: 41,
	IXFR: 251,
	AXFR: 252,
	ANY: 255,
} as const;

export const rcodes = {
	NOERROR: 0,
	FORMERR: 1,
	SERVFAIL: 2,
	NXDOMAIN: 3,
	NOTIMP: 4,
	REFUSED: 5,
	/** Needs an OPT record, which carries its upper bits. */
	BADVERS: 16,
} as const;

export const classIn = 1;

/** Bits of the second word of a header. */
export const flagBits = {
	response: 0x8000,
	opcode: 0x7800,
	authoritative: 0x0400,
	truncated: 0x0200,
	recursionDesired: 0x0100,
	recursionAvailable: 0x0080,
	authenticData: 0x0020,
	checkingDisabled: 0x0010,
	rcode: 0x000f,
} as const;

/**
 * What a record says. Names are in the form of names.ts. What has no shape of its own here is kept as it came (RFC 3597:
 * such types hold no compressed names).
 */
export type RecordData =
	| { type: 1 | 28; address: Uint8Array }
	| { type: 2 | 5 | 12; name: string }
	| { type: 15; preference: number; name: string }
	| { type: 16; texts: string[] }
	| {
			type: 33;
			priority: number;
			weight: number;
			port: number;
			name: string;
	  }
	| {
			type: 6;
			primary: string;
			mailbox: string;
			serial: number;
			refresh: number;
			retry: number;
			expire: number;
			minimum: number;
	  }
	| { type: number; raw: Uint8Array };

/** A record of class IN. `ttl` is in seconds. */
export interface DnsRecord {
	name: string;
	ttl: number;
	data: RecordData;
}

export interface Question {
	name: string;
	type: number;
	class: number;
}

/** What a message says of EDNS (RFC 6891). */
export interface Edns {
	udpSize: number;
	version: number;
	/** DNSSEC OK. */
	dnssec: boolean;
}

export interface Message {
	id: number;
	/** The header's second word but for the rcode. */
	flags: number;
	/** With the upper bits that the OPT record carries. */
	rcode: number;
	question: Question;
	answers: DnsRecord[];
	authorities: DnsRecord[];
	additionals: DnsRecord[];
	edns?: Edns;
}
