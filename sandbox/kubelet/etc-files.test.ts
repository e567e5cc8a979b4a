import type { Pod, PodSpec } from "../../operator/api/core.ts";
import { etcFiles, hostnameOf } from "./etc-files.ts";

const dns = {
	address: "10.96.0.10",
	zone: "cluster.local",
	hostResolvConf: "nameserver 192.0.2.1\n",
};
const pod = (spec: Partial<PodSpec> = {}, name = "web-1"): Pod => ({
	metadata: { name, namespace: "shop" },
	spec: { containers: [], ...spec },
});

it("gives a pod the cluster's resolver, its name and its address", () => {
	expect(etcFiles(pod(), "10.244.1.2", "node-1", dns)).toEqual({
		"/etc/hostname": "web-1\n",
		"/etc/resolv.conf":
			"search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
		"/etc/hosts": [
			"# Kubernetes-managed hosts file.",
			"127.0.0.1\tlocalhost",
			"::1\tlocalhost ip6-localhost ip6-loopback",
			"fe00::0\tip6-localnet",
			"fe00::0\tip6-mcastprefix",
			"fe00::1\tip6-allnodes",
			"fe00::2\tip6-allrouters",
			"10.244.1.2\tweb-1",
			"",
		].join("\n"),
	});
});

it("gives it a full name when it has a subdomain, and its host aliases", () => {
	const spec = {
		hostname: "db",
		subdomain: "dbs",
		hostAliases: [{ ip: "192.0.2.7", hostnames: ["a", "b"] }],
	};
	const text = etcFiles(pod(spec), "10.244.1.2", "node-1", dns)["/etc/hosts"];
	expect(text).toMatch(
		"10.244.1.2\tdb.dbs.shop.svc.cluster.local\tdb\n\n# Entries added by HostAliases.\n192.0.2.7\ta\tb\n",
	);
});

it("leaves a pod on its node's network the node's name, hosts file and resolver", () => {
	const files = etcFiles(
		pod({ hostNetwork: true }),
		"172.30.1.1",
		"node-1",
		dns,
	);
	expect(files).toEqual({
		"/etc/hostname": "node-1\n",
		"/etc/resolv.conf": "nameserver 192.0.2.1\n",
	});
});

it("cuts a host name to 63 characters that end with none of - and .", () => {
	expect(hostnameOf(pod({}, `${"a".repeat(62)}-b`), "node-1")).toBe(
		"a".repeat(62),
	);
});
