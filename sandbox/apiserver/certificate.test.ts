import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { issueCertificate, newAuthority } from "./certificate.ts";

// The certificates, as OpenSSL reads them.

const now = Date.parse("2026-11-23T12:00:00Z");
const random = (bytes: number) => new Uint8Array(bytes).fill(0x81);
const authority = newAuthority(now, random);
const ca = new X509Certificate(authority.cert);
const issue = (names: string[], at = now) =>
	new X509Certificate(issueCertificate(authority, names, at, random).cert);

test("an authority signs itself and may sign others", () => {
	expect(ca.ca).toBe(true);
	expect(ca.verify(ca.publicKey)).toBe(true);
	expect(ca.subject).toBe(ca.issuer);
});

test("a server's certificate is signed by the authority and signs nothing", () => {
	const { cert, key } = issueCertificate(authority, ["localhost"], now, random);
	const certificate = new X509Certificate(cert);
	expect(certificate.ca).toBe(false);
	expect(certificate.checkIssued(ca)).toBe(true);
	expect(certificate.verify(ca.publicKey)).toBe(true);
	expect(key).toContain("BEGIN PRIVATE KEY");
	expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
});

test("it is valid from an hour before for ten years, past 2049 too", () => {
	const late = issue(["a"], Date.parse("2055-01-01T00:00:00Z"));
	expect(new Date(late.validFrom).toISOString()).toBe(
		"2054-12-31T23:00:00.000Z",
	);
	const tenYears = 10 * 365 * 24 * 3_600_000;
	expect(new Date(issue(["a"]).validTo).getTime()).toBe(now + tenYears);
});

test("serial numbers are positive whatever the random bytes", () => {
	const certificate = issue(["a"]);
	expect(certificate.serialNumber).toBe("018181818181818181");
});

test.each<[string, string, boolean]>([
	["kubernetes.default.svc", "kubernetes.default.svc", true],
	["kubernetes.default.svc", "kubernetes.default", false],
	["10.96.0.1", "10.96.0.1", true],
	["10.96.0.1", "10.96.0.2", false],
	["fd00:10:96::1", "fd00:10:96:0:0:0:0:1", true],
	["::1", "0:0:0:0:0:0:0:1", true],
	["::", "::1", false],
	["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", true],
])("a certificate for %s answers for %s: %s", (name, asked, answers) => {
	const certificate = issue([name]);
	const found = /^[\d.]+$|:/.test(asked)
		? certificate.checkIP(asked)
		: certificate.checkHost(asked);
	expect(found !== undefined).toBe(answers);
});

test("any list of names can be read back, also where lengths need more bytes", () => {
	const name = fc.oneof(
		fc.ipV4(),
		fc.stringMatching(/^[a-z]([-a-z0-9]{0,60}[a-z0-9])?$/),
	);
	fc.assert(
		fc.property(fc.array(name, { minLength: 1, maxLength: 60 }), (names) => {
			const certificate = issue(names);
			expect(certificate.verify(ca.publicKey)).toBe(true);
			expect(certificate.subjectAltName).toBe(
				names
					.map((one) =>
						/^[\d.]+$/.test(one) ? `IP Address:${one}` : `DNS:${one}`,
					)
					.join(", "),
			);
		}),
		{ numRuns: 20 },
	);
});
