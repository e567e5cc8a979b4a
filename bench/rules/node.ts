import { addAddress } from "../../operator/kernel/link-addresses.ts";
import { createVeth, LOOPBACK, setLink } from "../../operator/kernel/links.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { setRoute } from "../../operator/kernel/routes.ts";
import { carryOutIn } from "../../operator/kernel/rtnetlink.ts";
import { setNetworkSettings } from "../../operator/kernel/sysctl.ts";
import { apiInNamespace } from "../../test/support/api-in-namespace.ts";
import type { Place } from "./proxies.ts";

export const nodeName = "node-1";
export const nodeAddress = "192.0.2.1";
export const clientAddress = "10.244.1.2";
export const podAddresses = [11, 12, 13, 14].map((last) => `10.244.1.${last}`);

/** A node with no rules yet, a pod that asks and one that answers at four addresses, each in a namespace of its own. */
export interface BenchNode extends Place {
	client: NetworkNamespace;
	pods: NetworkNamespace;
	close(): Promise<void>;
}

export async function benchNode(api: {
	server: string;
	kubeconfigPath: string;
}): Promise<BenchNode> {
	const namespaces = Array.from({ length: 3 }, () => {
		const namespace = createNetworkNamespace();
		carryOutIn(namespace, [setLink(LOOPBACK, { up: true })]);
		return namespace;
	});
	const [namespace, client, pods] = namespaces as [
		NetworkNamespace,
		NetworkNamespace,
		NetworkNamespace,
	];
	setNetworkSettings(namespace, { "ipv4/ip_forward": 1 });
	// Nobody else's ports stand in the way of tens of thousands of connections.
	setNetworkSettings(client, { "ipv4/ip_local_port_range": "1024 65535" });
	carryOutIn(namespace, [
		addAddress({ link: LOOPBACK, address: nodeAddress, prefixLength: 32 }),
	]);
	wire(namespace, { name: "client", index: 10 }, client, [clientAddress]);
	wire(namespace, { name: "pods", index: 11 }, pods, podAddresses);
	const relay = await apiInNamespace(namespace, api.server);
	return {
		namespace,
		client,
		pods,
		kubeconfig: api.kubeconfigPath,
		node: nodeName,
		async close() {
			await relay.close();
			for (const each of namespaces) each.close();
		},
	};
}

function wire(
	node: NetworkNamespace,
	link: { name: string; index: number },
	pod: NetworkNamespace,
	addresses: readonly string[],
): void {
	carryOutIn(node, [
		createVeth(link, { name: "eth0", index: 2, namespace: pod }),
		setLink(link.index, { up: true }),
	]);
	carryOutIn(pod, [
		...addresses.map((address) =>
			addAddress({ link: 2, address, prefixLength: 32 }),
		),
		setLink(2, { up: true }),
		setRoute({ destination: `${nodeAddress}/32`, link: 2 }),
		setRoute({ destination: "0.0.0.0/0", via: nodeAddress, link: 2 }),
	]);
	carryOutIn(
		node,
		addresses.map((address) =>
			setRoute({ destination: `${address}/32`, link: link.index }),
		),
	);
}
