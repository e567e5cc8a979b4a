import type { Pod, PodSpec } from "../../operator/api/core.ts";
import { resolvConf } from "../../operator/model/discovery/resolv-conf.ts";

export interface ClusterDns {
	/** Of the Service kube-dns. */
	address: string;
	/** As cluster.local. */
	zone: string;
	/** Text of the machine's own resolv.conf, for pods that ask for it. */
	hostResolvConf?: string;
}

/** A pod's host name: spec.hostname or its name, cut to the 63 characters a host name may have. */
export function hostnameOf(pod: Pod, nodeName: string): string {
	if (pod.spec.hostNetwork) return nodeName;
	const name = pod.spec.hostname ?? pod.metadata.name;
	return name.slice(0, 63).replace(/[-.]+$/, "");
}

/** The files the kubelet writes for a pod, by path (pkg/kubelet/kubelet_pods.go, managedHostsFileContent). */
export function etcFiles(
	pod: Pod,
	podIP: string,
	nodeName: string,
	dns: ClusterDns,
): Record<string, string> {
	const { spec, metadata } = pod;
	const namespace = metadata.namespace ?? "default";
	const hostname = hostnameOf(pod, nodeName);
	const { dnsPolicy, dnsConfig, hostNetwork } = spec;
	const files: Record<string, string> = {
		"/etc/hostname": `${hostname}\n`,
		"/etc/resolv.conf": resolvConf({
			clusterDns: [dns.address],
			zone: dns.zone,
			namespace,
			...(dnsPolicy && { dnsPolicy }),
			...(dnsConfig && { dnsConfig }),
			...(hostNetwork && { hostNetwork }),
			...(dns.hostResolvConf !== undefined && {
				hostResolvConf: dns.hostResolvConf,
			}),
		}),
	};
	// A pod on its node's network keeps the node's own file.
	if (!hostNetwork)
		files["/etc/hosts"] = hosts(spec, hostname, podIP, namespace, dns.zone);
	return files;
}

function hosts(
	spec: PodSpec,
	hostname: string,
	podIP: string,
	namespace: string,
	zone: string,
): string {
	const names = spec.subdomain
		? `${hostname}.${spec.subdomain}.${namespace}.svc.${zone}\t${hostname}`
		: hostname;
	const aliases = spec.hostAliases ?? [];
	return [
		"# Kubernetes-managed hosts file.",
		"127.0.0.1\tlocalhost",
		"::1\tlocalhost ip6-localhost ip6-loopback",
		"fe00::0\tip6-localnet",
		"fe00::0\tip6-mcastprefix",
		"fe00::1\tip6-allnodes",
		"fe00::2\tip6-allrouters",
		`${podIP}\t${names}`,
		...(aliases.length > 0 ? ["", "# Entries added by HostAliases."] : []),
		...aliases.map(
			({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}`,
		),
		"",
	].join("\n");
}
