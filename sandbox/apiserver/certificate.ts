import {
	createHash,
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
	sign,
} from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";

/** PEM texts. */
export interface KeyPair {
	cert: string;
	key: string;
}

/*
 * Just enough X.509 (RFC 5280) in DER to let kubectl and every other TLS client verify a server on this machine: node's
 * crypto signs but cannot issue.
 */

const oids = {
	ecPublicKey: "1.2.840.10045.2.1",
	ecdsaWithSha256: "1.2.840.10045.4.3.2",
	commonName: "2.5.4.3",
	basicConstraints: "2.5.29.19",
	keyUsage: "2.5.29.15",
	extendedKeyUsage: "2.5.29.37",
	serverAuth: "1.3.6.1.5.5.7.3.1",
	subjectAltName: "2.5.29.17",
	subjectKeyIdentifier: "2.5.29.14",
	authorityKeyIdentifier: "2.5.29.35",
};

function der(tag: number, ...contents: Uint8Array[]): Buffer {
	const body = Buffer.concat(contents);
	if (body.length < 0x80)
		return Buffer.concat([Buffer.from([tag, body.length]), body]);
	const length: number[] = [];
	for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256))
		length.unshift(rest % 256);
	return Buffer.concat([
		Buffer.from([tag, 0x80 | length.length, ...length]),
		body,
	]);
}

const sequence = (...items: Uint8Array[]) => der(0x30, ...items);
const octets = (content: Uint8Array) => der(0x04, content);
const bits = (content: Uint8Array, unused = 0) =>
	der(0x03, Buffer.from([unused]), content);
const truth = der(0x01, Buffer.from([0xff]));

/** An INTEGER that is positive whatever its first bit. */
const integer = (content: Uint8Array) =>
	der(
		0x02,
		(content[0] ?? 0) & 0x80 ? Buffer.from([0]) : Buffer.alloc(0),
		content,
	);

function oid(dotted: string): Buffer {
	const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
	const bytes = [first * 40 + second];
	for (const arc of rest) {
		const groups = [arc & 0x7f];
		for (let left = arc >>> 7; left > 0; left >>>= 7)
			groups.unshift((left & 0x7f) | 0x80);
		bytes.push(...groups);
	}
	return der(0x06, Buffer.from(bytes));
}

const name = (commonName: string) =>
	sequence(
		der(
			0x31,
			sequence(oid(oids.commonName), der(0x0c, Buffer.from(commonName))),
		),
	);

/** GeneralizedTime, which holds for every year. */
const time = (ms: number) =>
	der(
		0x18,
		Buffer.from(
			`${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`,
		),
	);

const extension = (id: string, critical: boolean, value: Uint8Array) =>
	sequence(oid(id), ...(critical ? [truth] : []), octets(value));

function ipBytes(ip: string): Buffer {
	if (isIPv4(ip)) return Buffer.from(ip.split(".").map(Number));
	const [head = "", tail] = ip.split("::");
	const words = (text: string) => (text ? text.split(":") : []);
	const left = words(head);
	const right = tail === undefined ? [] : words(tail);
	const all = [
		...left,
		...Array<string>(8 - left.length - right.length).fill("0"),
		...right,
	];
	return Buffer.from(
		all.flatMap((word) => {
			const value = Number.parseInt(word, 16);
			return [value >> 8, value & 0xff];
		}),
	);
}

function keyIdentifier(key: KeyObject): Buffer {
	const info = key.export({ type: "spki", format: "der" });
	return createHash("sha1").update(info).digest();
}

function certificate(options: {
	subject: string;
	issuer: string;
	publicKey: KeyObject;
	issuerKey: KeyObject;
	issuerPublic: KeyObject;
	serial: Uint8Array;
	from: number;
	until: number;
	extensions: Uint8Array[];
}): string {
	const algorithm = sequence(oid(oids.ecdsaWithSha256));
	const body = sequence(
		der(0xa0, integer(Buffer.from([2]))),
		integer(options.serial),
		algorithm,
		name(options.issuer),
		sequence(time(options.from), time(options.until)),
		name(options.subject),
		options.publicKey.export({ type: "spki", format: "der" }),
		der(
			0xa3,
			sequence(
				...options.extensions,
				extension(
					oids.subjectKeyIdentifier,
					false,
					octets(keyIdentifier(options.publicKey)),
				),
				extension(
					oids.authorityKeyIdentifier,
					false,
					sequence(der(0x80, keyIdentifier(options.issuerPublic))),
				),
			),
		),
	);
	const signature = sign("sha256", body, options.issuerKey);
	const whole = sequence(body, algorithm, bits(signature));
	const base64 = whole
		.toString("base64")
		.replace(/(.{64})/g, "$1\n")
		.trim();
	return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

const issuer = "fairlead-sandbox-ca";
const pem = (key: KeyObject) =>
	key.export({ type: "pkcs8", format: "pem" }) as string;

/** From an hour before `now` (ms) for ten years. */
const validity = (now: number) => ({
	from: now - 3_600_000,
	until: now + 10 * 365 * 24 * 3_600_000,
});

/** A leading 1 keeps a serial positive and of one length. */
const serial = (random: (bytes: number) => Uint8Array) =>
	Buffer.concat([Buffer.from([1]), random(8)]);

/** A new authority. `random` gives that many random bytes, for the serial number; `now` is in ms. */
export function newAuthority(
	now: number,
	random: (bytes: number) => Uint8Array,
): KeyPair {
	const { publicKey, privateKey } = generateKeyPairSync("ec", {
		namedCurve: "P-256",
	});
	const cert = certificate({
		...validity(now),
		issuer,
		issuerKey: privateKey,
		issuerPublic: publicKey,
		subject: issuer,
		publicKey,
		serial: serial(random),
		extensions: [
			extension(oids.basicConstraints, true, sequence(truth)),
			extension(oids.keyUsage, true, bits(Buffer.from([0x06]), 1)),
		],
	});
	return { cert, key: pem(privateKey) };
}

/** A new server certificate for `names` (host names and addresses), signed by `authority`. */
export function issueCertificate(
	authority: KeyPair,
	names: string[],
	now: number,
	random: (bytes: number) => Uint8Array,
): KeyPair {
	const { publicKey, privateKey } = generateKeyPairSync("ec", {
		namedCurve: "P-256",
	});
	const issuerKey = createPrivateKey(authority.key);
	const cert = certificate({
		...validity(now),
		issuer,
		issuerKey,
		issuerPublic: createPublicKey(issuerKey),
		subject: "fairlead-sandbox",
		publicKey,
		serial: serial(random),
		extensions: [
			extension(oids.basicConstraints, true, sequence()),
			extension(oids.keyUsage, true, bits(Buffer.from([0x80]), 7)),
			extension(oids.extendedKeyUsage, false, sequence(oid(oids.serverAuth))),
			extension(
				oids.subjectAltName,
				false,
				sequence(
					...names.map((one) =>
						isIPv4(one) || isIPv6(one)
							? der(0x87, ipBytes(one))
							: der(0x82, Buffer.from(one)),
					),
				),
			),
		],
	});
	return { cert, key: pem(privateKey) };
}
