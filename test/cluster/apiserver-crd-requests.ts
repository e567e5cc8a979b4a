import { get, patch, type Row } from "./apiserver-step.ts";

const pools = "/apis/fairlead.dev/v1alpha1/addresspools";
const classes = "/apis/fairlead.dev/v1alpha1/balancerclasses";
const pool = (spec: object, name = "NS") => ({
	method: "POST" as const,
	path: `${pools}?fieldValidation=Strict`,
	body: {
		apiVersion: "fairlead.dev/v1alpha1",
		kind: "AddressPool",
		metadata: { name },
		spec,
	},
});
const balancerClass = (spec: object) => ({
	method: "POST" as const,
	path: `${classes}?fieldValidation=Strict`,
	body: {
		apiVersion: "fairlead.dev/v1alpha1",
		kind: "BalancerClass",
		metadata: { name: "NS" },
		spec,
	},
});
const cloud = (hetznerCloud: object) =>
	balancerClass({
		provider: "HetznerCloud",
		hetznerCloud: {
			tokenSecretRef: { namespace: "default", name: "token", key: "token" },
			location: "fsn1",
			...hetznerCloud,
		},
	});
const of = (...addresses: string[]) => pool({ addresses });

/** The kinds of crds/, whose schemas and CEL rules must say the same here as there. */
export const crdRows: Row[] = [
	[
		"a pool takes CIDRs and ranges of both families",
		of(
			"10.0.0.0/24",
			"10.1.0.1-10.1.0.20",
			" 10.2.0.0/16 ",
			"2001:db8::/64",
			"2001:db8:1::1 - 2001:db8:1::ffff",
			"10.0.0.1-10.0.0.1",
		),
		get(`${pools}/NS`),
	],
	...(
		[
			["is neither CIDR nor range", "10.0.0.1"],
			["has a leading zero", "010.0.0.0/24"],
			["has too long a prefix", "10.0.0.0/33"],
			["has a prefix with a leading zero", "10.0.0.0/08"],
			["is a mapped address", "::ffff:10.0.0.0/120"],
			["has a zone", "fe80::1%eth0/64"],
			["has a bad end", "10.0.0.1-10.0.0.256"],
			["has host bits", "10.0.0.1/24"],
			["has IPv6 host bits", "2001:db8::1/64"],
			["mixes the families", "10.0.0.1-2001:db8::1"],
			["is loopback", "127.0.0.0/8"],
			["is link-local", "fe80::/64"],
			["is multicast", "224.0.0.1-224.0.0.9"],
			["is broadcast", "255.255.255.255/32"],
			["is all of IPv4", "0.0.0.0/0"],
			["is upside down", "10.0.0.20-10.0.0.10"],
			["is upside down by one bit", "10.0.0.1-10.0.0.0"],
			["is upside down in IPv6", "2001:db8::ff-2001:db8::1"],
		] as const
	).map(
		([what, entry]): Row => [
			`a pool's entry that ${what} is refused`,
			of(entry),
		],
	),
	[
		"a pool needs addresses, each once, and not too many words",
		pool({}),
		pool({ addresses: [] }),
		of("10.0.0.0/24", "10.0.0.0/24"),
		of("1".repeat(101)),
		pool({ addresses: ["10.0.0.0/24"], uses: ["Nothing"] }),
		pool({ addresses: ["10.0.0.0/24"], priority: -1 }),
		pool({ addresses: ["10.0.0.0/24"], colour: "red" }),
	],
	[
		"a pool's selector and retention have their rules",
		pool({
			addresses: ["10.0.0.0/24"],
			serviceSelector: { matchExpressions: [{ key: "a", operator: "In" }] },
		}),
		pool({
			addresses: ["10.0.0.0/24"],
			serviceSelector: {
				matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }],
			},
		}),
		pool({ addresses: ["10.0.0.0/24"], retention: "10 minutes" }),
		pool({ addresses: ["10.0.0.0/24"], retention: "1h30m" }, "NS-kept"),
	],
	[
		"a pool's name has its length",
		pool({ addresses: ["10.0.0.0/24"] }, "a".repeat(64)),
	],
	[
		"a class has what its provider needs and nothing else",
		balancerClass({ provider: "HetznerCloud" }),
		balancerClass({ provider: "Static", layer2: {} }),
		cloud({ networkZone: "eu-central" }),
		cloud({ endpoint: "ftp://example.com" }),
		cloud({ endpoint: "example.com" }),
		cloud({ endpoint: "https://example.com/v1?a=b" }),
		cloud({ endpoint: "https://user@example.com" }),
		cloud({ endpoint: "https://example.com/v1" }),
	],
	[
		"a class's provider does not change",
		balancerClass({ provider: "Static" }),
		patch("merge", `${classes}/NS`, { spec: { provider: "Layer2" } }),
		patch("merge", `${classes}/NS`, { metadata: { labels: { a: "b" } } }),
	],
];
