import type { Service } from "../../../api/core.ts";
import { formatIp, parseIp } from "../../addresses/ip.ts";

/**
 * A Service as kube-proxy reads its addresses: octets with leading zeros are decimal, IPv4 in IPv6 is IPv4 (k8s.io/utils,
 * net.ParseIPSloppy and ParseCIDRSloppy). The API server takes no new ones, and keeps those it had.
 */
export function readLeniently(service: Service): Service {
	const { spec, status } = service;
	const { clusterIP, clusterIPs, externalIPs, loadBalancerSourceRanges } = spec;
	const ingress = status?.loadBalancer?.ingress;
	return {
		...service,
		spec: {
			...spec,
			...(clusterIP && { clusterIP: lenient(clusterIP) }),
			...(clusterIPs && { clusterIPs: clusterIPs.map(lenient) }),
			...(externalIPs && { externalIPs: externalIPs.map(lenient) }),
			...(loadBalancerSourceRanges && {
				loadBalancerSourceRanges: loadBalancerSourceRanges.map(lenient),
			}),
		},
		...(ingress && {
			status: {
				...status,
				loadBalancer: {
					...status.loadBalancer,
					ingress: ingress.map((each) =>
						each.ip ? { ...each, ip: lenient(each.ip) } : each,
					),
				},
			},
		}),
	};
}

/** An address or CIDR; what is neither stays as it is. */
function lenient(text: string): string {
	const decimal = text.replaceAll(
		/(?<![0-9a-f])0+(?=\d+\.)|(?<=\.)0+(?=\d)/gi,
		"",
	);
	return unmapped(decimal) ?? decimal;
}

/** `::ffff:192.0.2.1` and `::ffff:192.0.2.0/120` in IPv4; undefined for all else. */
function unmapped(text: string): string | undefined {
	const [address = "", length] = text.trim().split("/");
	const parts = /^(.*:)ffff(:[^:]+(?::[^:]+)?)$/i.exec(address);
	if (!parts) return undefined;
	// A neighbour of ::ffff:0:0/96 that parseIp does read.
	const neighbour = parseIp(`${parts[1]}fffe${parts[2]}`);
	if (!neighbour.ok || neighbour.value.value >> 32n !== 0xfffen)
		return undefined;
	const value = neighbour.value.value & 0xffff_ffffn;
	const plain = formatIp({ family: "IPv4", value });
	return length === undefined ? plain : `${plain}/${Number(length) - 96}`;
}
