import { FairleadError } from "../../errors.ts";
import type { KubeProxyRules } from "../../model/rules/audit/kube-proxy-rules.ts";
import { readKubeProxy } from "./kube-proxy.ts";

const table = { nftables: [{ table: { name: "kube-proxy" } }] };
const rules = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n";
const none = "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n";

/** A node with these programs: what `nft` lists of IPv4, and what others of their names print. */
function read(
	nft: object | "no table" | "no program",
	programs: Record<string, string | Error>,
): Promise<KubeProxyRules> {
	return readKubeProxy({
		listTable: ({ family }) => {
			if (nft === "no program")
				return Promise.reject(
					new FairleadError("KernelUnsupported", "there is no program nft"),
				);
			return Promise.resolve(
				nft === "no table" || family === "IPv6" ? undefined : nft,
			);
		},
		iptablesSave: (program) => {
			const said = programs[program];
			return said instanceof Error
				? Promise.reject(said)
				: Promise.resolve(said);
		},
	});
}

const refused = new FairleadError("KernelFailed", "Protocol not supported");

it.each([
	["nftables, and no iptables there", table, {}],
	[
		"nftables, and iptables without its rules",
		table,
		{ "iptables-save": none },
	],
	[
		"nftables, and a variant of iptables fails",
		table,
		{ "iptables-nft-save": refused },
	],
	["iptables by its plain name", "no table", { "iptables-save": rules }],
	["iptables, and nft not there", "no program", { "iptables-nft-save": rules }],
	[
		"the variant of iptables that is not the default",
		"no table",
		{
			"iptables-nft-save": none,
			"iptables-legacy-save": rules,
			"iptables-save": none,
		},
	],
	[
		"the variant of iptables that the kernel knows",
		"no table",
		{ "iptables-nft-save": refused, "iptables-legacy-save": rules },
	],
	[
		"a variant that the plain name stands for too",
		"no table",
		{ "iptables-nft-save": rules, "iptables-save": rules },
	],
] as const)("reads the rules of kube-proxy in %s", async (_, nft, programs) => {
	expect((await read(nft, programs)).families).toEqual(new Set(["IPv4"]));
});

it("reads both families", async () => {
	const { families } = await read("no table", {
		"iptables-nft-save": rules,
		"ip6tables-nft-save": rules,
	});
	expect(families).toEqual(new Set(["IPv4", "IPv6"]));
});

it.each([
	[
		"nothing",
		"no table",
		{ "iptables-nft-save": none },
		/^there is no table kube-proxy in nftables, and no chain KUBE-SERVICES in iptables: kube-proxy does not run here/,
	],
	[
		"no table, and no iptables",
		"no table",
		{},
		/^there is no table kube-proxy in nftables, and no program iptables-save to read iptables rules with: install iptables, whichever/,
	],
	[
		"neither program",
		"no program",
		{},
		/^there is no program nft, and no program iptables-save .*: install nftables or iptables,/,
	],
	[
		"rules of both modes",
		table,
		{ "iptables-nft-save": rules },
		/^kube-proxy's rules are there more than once, in nftables and in iptables-nft: .*kube-proxy --cleanup/,
	],
	[
		"rules in both variants of iptables",
		"no table",
		{ "iptables-nft-save": rules, "iptables-legacy-save": rules },
		/in iptables-nft and in iptables-legacy/,
	],
	[
		"only a program that fails",
		"no table",
		{ "iptables-nft-save": refused },
		/^Protocol not supported$/,
	],
] as const)(
	"says what to do where there is %s",
	async (_, nft, programs, why) => {
		await expect(read(nft, programs)).rejects.toThrow(why);
	},
);
