import {
	generateKeyPairSync,
	type KeyObject,
	randomBytes,
	sign,
} from "node:crypto";
import { isIP } from "node:net";

export interface Certificate {
	/** PEM */
	certificate: string;
	key: string;
	privateKey: KeyObject;
	commonName: string;
}

/**
 * A P-256 certificate made by hand, since node:crypto reads X.509 but writes none: an authority of its own if no issuer
 * is given, else a leaf for server and client use. DER as in RFC 5280; valid 2020 to 2049.
 */
export function makeCertificate(
	commonName: string,
	{ issuer, hosts = [] }: { issuer?: Certificate; hosts?: string[] } = {},
): Certificate {
	const { privateKey, publicKey } = generateKeyPairSync("ec", {
		namedCurve: "P-256",
	});
	const extensions = [
		extension([2, 5, 29, 19], sequence(...(issuer ? [] : [bool(true)]))),
		...(hosts.length > 0 ? [extension([2, 5, 29, 17], altNames(hosts))] : []),
	];
	const toSign = sequence(
		der(0xa0, integer(Buffer.from([2]))),
		integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
		ecdsaWithSha256,
		nameOf(issuer?.commonName ?? commonName),
		sequence(time("200101000000Z"), time("491231235959Z")),
		nameOf(commonName),
		publicKey.export({ type: "spki", format: "der" }),
		der(0xa3, sequence(...extensions)),
	);
	const signature = sign("sha256", toSign, issuer?.privateKey ?? privateKey);
	const whole = sequence(toSign, ecdsaWithSha256, bits(signature));
	return {
		certificate: `-----BEGIN CERTIFICATE-----\n${whole.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`,
		key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
		privateKey,
		commonName,
	};
}

function der(tag: number, ...parts: Buffer[]): Buffer {
	const content = Buffer.concat(parts);
	const { length } = content;
	const size =
		length < 0x80
			? [length]
			: length < 0x100
				? [0x81, length]
				: [0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const integer = (value: Buffer) => der(0x02, value);
const bool = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]));
const bits = (value: Buffer) => der(0x03, Buffer.from([0]), value);
const time = (utc: string) => der(0x17, Buffer.from(utc));

function oid([first = 0, second = 0, ...rest]: number[]): Buffer {
	const bytes = rest.flatMap((arc) => {
		const groups = [arc & 0x7f];
		for (let left = arc >> 7; left > 0; left >>= 7)
			groups.unshift((left & 0x7f) | 0x80);
		return groups;
	});
	return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

const ecdsaWithSha256 = sequence(oid([1, 2, 840, 10045, 4, 3, 2]));

function nameOf(commonName: string): Buffer {
	const text = der(0x0c, Buffer.from(commonName));
	return sequence(der(0x31, sequence(oid([2, 5, 4, 3]), text)));
}

function extension(id: number[], value: Buffer): Buffer {
	return sequence(oid(id), der(0x04, value));
}

/** IPv4 addresses and DNS names. */
function altNames(hosts: string[]): Buffer {
	return sequence(
		...hosts.map((host) =>
			isIP(host) === 4
				? der(0x87, Buffer.from(host.split(".").map(Number)))
				: der(0x82, Buffer.from(host)),
		),
	);
}
