import { readFileSync } from "node:fs";
import { sandboxFlags } from "../../cli/config.ts";
import type { Flags } from "../../cli/flags.ts";
import {
	balancerCidr,
	cloudAddress,
	externalCidr,
	nodeAddress,
	outsideAddress,
	podAddresses,
	serviceCidr,
} from "../../sandbox/network/addresses.ts";

const page = readFileSync(
	new URL("../../docs/reference/sandbox.md", import.meta.url),
	"utf8",
);

describe("docs/reference/sandbox.md", () => {
	it("has exactly one row for every flag of the sandbox, with its default and its help", () => {
		const rows = [
			...page.matchAll(/^\| `--([\w-]+)(?: (\w+))?` \|([^|]*)\| (.+) \|$/gm),
		].map(([, name, value, fallback = "", help]) => ({
			name,
			value,
			fallback: fallback.trim(),
			help,
		}));
		const flags: Flags = sandboxFlags;
		expect(rows).toEqual(
			Object.entries(flags).map(([name, { value, schema, help }]) => ({
				name,
				value,
				fallback: `${(schema.parse(undefined) as string | number | undefined) ?? ""}`,
				help,
			})),
		);
	});

	it("has exactly one row for everybody's addresses", () => {
		const rows = [...page.matchAll(/^\| (\d[^|]+) \|/gm)].map(
			([, address]) => address,
		);
		const ofNode = (address: string) =>
			address.replace("10.244.250.", "10.244.N.");
		const pods = podAddresses(250);
		expect(rows).toEqual([
			outsideAddress,
			cloudAddress,
			nodeAddress(250).replace(/250$/, "N"),
			`${ofNode(pods[0] ?? "")} to ${ofNode(pods.at(-1) ?? "")}`,
			serviceCidr,
			balancerCidr,
			externalCidr,
		]);
	});
});
