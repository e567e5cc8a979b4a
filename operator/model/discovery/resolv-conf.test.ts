import { type PodDnsInput, podDns, resolvConf } from "./resolv-conf.ts";

const cluster: PodDnsInput = {
	clusterDns: ["10.96.0.10"],
	zone: "cluster.local",
	namespace: "shop",
	hostResolvConf: [
		"# the host's",
		"search old.example",
		"search corp.example. lab.example .",
		"nameserver 192.0.2.53",
		"  nameserver 192.0.2.54  ",
		"domain passed.over",
		"options timeout:2 rotate",
		"options timeout:3",
	].join("\n"),
};
const clusterText =
	"search shop.svc.cluster.local svc.cluster.local cluster.local corp.example lab.example\nnameserver 10.96.0.10\noptions ndots:5\n";
const hostText =
	"search corp.example lab.example\nnameserver 192.0.2.53\nnameserver 192.0.2.54\noptions timeout:3 rotate\n";

describe("a pod's resolv.conf", () => {
	it.each<[string, Partial<PodDnsInput>, string]>([
		["no policy: the cluster's DNS", {}, clusterText],
		["ClusterFirst: the same", { dnsPolicy: "ClusterFirst" }, clusterText],
		[
			"ClusterFirst on the host's network: the host's",
			{ dnsPolicy: "ClusterFirst", hostNetwork: true },
			hostText,
		],
		[
			"ClusterFirstWithHostNet on the host's network: the cluster's",
			{ dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true },
			clusterText,
		],
		["Default: the host's", { dnsPolicy: "Default" }, hostText],
		["None with nothing of its own: empty", { dnsPolicy: "None" }, ""],
		[
			"None: only what dnsConfig says",
			{
				dnsPolicy: "None",
				dnsConfig: {
					nameservers: ["192.0.2.1"],
					searches: ["own.example"],
					options: [{ name: "ndots", value: "2" }, { name: "edns0" }],
				},
			},
			"search own.example\nnameserver 192.0.2.1\noptions ndots:2 edns0\n",
		],
		[
			"dnsConfig adds to the cluster's, without repeating, and its options win",
			{
				dnsConfig: {
					nameservers: ["10.96.0.10", "192.0.2.1"],
					searches: ["cluster.local", "own.example"],
					options: [{ name: "ndots", value: "2" }, { name: "edns0" }],
				},
			},
			"search shop.svc.cluster.local svc.cluster.local cluster.local corp.example lab.example own.example\nnameserver 10.96.0.10\nnameserver 192.0.2.1\noptions ndots:2 edns0\n",
		],
		[
			"no zone: only the host's searches",
			{ zone: "" },
			"search corp.example lab.example\nnameserver 10.96.0.10\noptions ndots:5\n",
		],
		[
			"cluster DNS of both families",
			{ clusterDns: ["10.96.0.10", "fd00::a"], hostResolvConf: "" },
			"search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5\n",
		],
		["no cluster DNS: the host's", { clusterDns: [] }, hostText],
		[
			"a host's file that is empty: an empty one",
			{ dnsPolicy: "Default", hostResolvConf: "" },
			"",
		],
	])("%s", (_what, more, text) => {
		expect(resolvConf({ ...cluster, ...more })).toBe(text);
	});

	it("asks the host itself where the host has no file", () => {
		const { hostResolvConf: _, ...without } = cluster;
		const input: PodDnsInput = { ...without, dnsPolicy: "Default" };
		expect(resolvConf(input)).toBe("search .\nnameserver 127.0.0.1\n");
		expect(resolvConf({ ...input, hostLoopbacks: ["127.0.0.1", "::1"] })).toBe(
			"search .\nnameserver 127.0.0.1\nnameserver ::1\n",
		);
	});

	it("says that it fell back to the host's where the cluster has no DNS", () => {
		expect(podDns({ ...cluster, clusterDns: [] }).warnings).toEqual([
			'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.',
		]);
	});

	it("keeps three nameservers and says so", () => {
		const nameservers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
		const made = podDns({ ...cluster, dnsConfig: { nameservers } });
		expect(made.nameservers).toEqual(["10.96.0.10", "192.0.2.1", "192.0.2.2"]);
		expect(made.warnings).toEqual([
			"Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.96.0.10 192.0.2.1 192.0.2.2",
		]);
	});

	it.each<[string, string[], number]>([
		["32 domains at most", Array.from({ length: 40 }, (_, i) => `d${i}`), 32],
		["no domain of more than 253 characters", ["x".repeat(254), "short"], 6],
		[
			"2,048 characters at most",
			Array.from({ length: 12 }, (_, i) => `${i}`.padStart(200, "x")),
			// 79 characters of the five domains before them, then nine of 201 with the space.
			14,
		],
	])("searches %s and says so", (_what, searches, count) => {
		const made = podDns({ ...cluster, dnsConfig: { searches } });
		expect(made.searches).toHaveLength(count);
		expect(made.searches.join(" ").length).toBeLessThanOrEqual(2048);
		expect(made.warnings).toEqual([
			`Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${made.searches.join(" ")}`,
		]);
	});
});
