import { isIP, isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { formatCidr, parseCidr } from "../operator/model/addresses/cidr.ts";
import {
	defaultNodePortRange,
	formatPortRange,
	parsePortRange,
} from "../operator/model/nodeports/port-range.ts";

/** What the values of flags look like: how each is read, and what is said of one that cannot be. */

export const text = z.string().min(1, "must not be empty");

export const port = (fallback: number) =>
	z.coerce
		.number({ error: "must be a port, 0 to 65535" })
		.int("must be a port, 0 to 65535")
		.min(0, "must be a port, 0 to 65535")
		.max(65_535, "must be a port, 0 to 65535")
		.default(fallback);

/** A port that, when none is given, may be any free one near `fallback`. */
export const portIfGiven = z.coerce
	.number({ error: "must be a port, 1 to 65535" })
	.int("must be a port, 1 to 65535")
	.min(1, "must be a port, 1 to 65535")
	.max(65_535, "must be a port, 1 to 65535")
	.optional();

/** HOST:PORT, an IPv6 host in brackets. */
export const address = (fallback: string) =>
	z.string().default(fallback).transform(readAddress);

export const addressIfGiven = z.string().transform(readAddress).optional();

function readAddress(
	value: string,
	context: z.RefinementCtx,
): { host: string; port: number } {
	const [, v6, host, digits] =
		/^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
	const number = Number(digits);
	if (digits === undefined || number > 65_535) {
		context.addIssue({
			code: "custom",
			message: "must be HOST:PORT, for instance 127.0.0.1:8080",
		});
		return z.NEVER;
	}
	return { host: v6 ?? host ?? "", port: number };
}

export const wholeNumber = (least: number, most: number, fallback: number) => {
	const message = `must be a whole number, ${least} to ${most}`;
	return z.coerce
		.number({ error: message })
		.int(message)
		.min(least, message)
		.max(most, message)
		.default(fallback);
};

const units = { s: 1_000, m: 60_000, h: 3_600_000 };

/** As `90s`, `10m` or `2h`; `milliseconds` reads it. */
export const duration = (fallback: string) =>
	z
		.string()
		.regex(/^\d{1,6}[smh]$/, "must be a duration, for instance 90s, 10m or 2h")
		.default(fallback);

export function milliseconds(duration: string): number {
	return (
		Number.parseInt(duration, 10) * units[duration.at(-1) as keyof typeof units]
	);
}

export const dnsLabel = (what: string) =>
	z
		.string()
		.regex(
			/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
			`must be a ${what}: at most 63 of a-z, 0-9 and -`,
		);

/** Two or more ports. */
export const portRange = z
	.string()
	.default(formatPortRange(defaultNodePortRange))
	.transform((value, context) => {
		const range = parsePortRange(value);
		if (range && range.first < range.last) return range;
		context.addIssue({
			code: "custom",
			message:
				"must be a range of two or more ports within 1 to 65535, for instance 30000-32767",
		});
		return z.NEVER;
	});

/** CIDRs with commas between; canonical. */
export const cidrs = z.string().transform((value, context) => {
	const found: string[] = [];
	for (const text of value.split(",")) {
		const cidr = parseCidr(text.trim());
		if (cidr.ok) found.push(formatCidr(cidr.value));
		else {
			context.addIssue({ code: "custom", message: cidr.reason });
			return z.NEVER;
		}
	}
	return found;
});

export const dnsZone = (what: string) =>
	z
		.string()
		.regex(
			/^(?=.{1,200}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/,
			`must be a ${what}: labels of a-z, 0-9 and - with dots between, as cluster.local`,
		);

/** IP addresses with commas between, each with a port unless there is a fallback; IPv6 ones in brackets. */
export const addresses = (fallbackPort?: number) =>
	z.string().transform((value, context) =>
		value.split(",").map((one) => {
			const found = parseSocketAddress(one.trim(), fallbackPort);
			if (found) return found;
			context.addIssue({
				code: "custom",
				message:
					fallbackPort === undefined
						? "must be IP:PORT, several with commas between, for instance 127.0.0.1:53,[::1]:53"
						: `must be IP or IP:PORT, several with commas between, for instance 192.0.2.53,[2001:db8::1]:${fallbackPort}`,
			});
			return z.NEVER;
		}),
	);

function parseSocketAddress(
	text: string,
	fallbackPort: number | undefined,
): { host: string; port: number } | undefined {
	const [, v6, v4, digits] =
		/^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
	const bare = fallbackPort !== undefined && isIPv6(text) ? text : undefined;
	const host = v6 ?? v4 ?? bare ?? "";
	const port = digits === undefined ? fallbackPort : Number(digits);
	const isAddress = v4 === undefined ? isIPv6(host) : isIPv4(host);
	if (!isAddress || port === undefined || port > 65_535) return undefined;
	return { host, port };
}

/** Bare ones, with commas between. */
export const ipAddresses = z
	.string()
	.transform((value) => value.split(",").map((one) => one.trim()))
	.refine((all) => all.every((one) => isIP(one) !== 0), {
		message:
			"must be an IP address, several with commas between, for instance 10.96.0.10",
	});
