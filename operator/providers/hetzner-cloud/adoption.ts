import { annotations } from "../../api/names.ts";
import { FairleadError } from "../../errors.ts";
import type {
	BalancerIdentity,
	DesiredBalancer,
} from "../../model/balancer/balancer.ts";
import type { WantedBalancer } from "./diff.ts";
import type { CloudHttp } from "./http.ts";
import type { Inventory, Known, Look } from "./inventory.ts";
import {
	foreignLabels,
	holder,
	ownsLabels,
	serviceKey,
	targetKey,
} from "./ownership.ts";
import { answers, type CloudBalancer } from "./wire.ts";

/**
 * How hetznercloud/hcloud-cloud-controller-manager marks the balancer of a Service; everything on it is that
 * controller's own, since it removes the rest (internal/hcops/load_balancer.go).
 */
const ccmLabel = "hcloud-ccm/service-uid";

export interface Adoption {
	/**
	 * Takes over the balancer hcloud-ccm made for the Service, as it is and with its address; undefined: there is none.
	 * Throws CloudAdoptionNeeded when there is one and nobody said that it may be taken, and CloudRefused when it does what
	 * Fairlead would undo.
	 */
	adopt(
		identity: BalancerIdentity,
		wanted: WantedBalancer,
		how: NonNullable<DesiredBalancer["adopt"]>,
		look: Look,
	): Promise<Known | undefined>;
}

export function createAdoption(
	http: CloudHttp,
	inventory: Inventory,
): Adoption {
	return {
		async adopt(identity, wanted, how, look) {
			const uid = identity.serviceUid;
			const marked = await inventory.labelled(ccmLabel, uid, look);
			const free = marked.filter(
				(each) => holder(each, identity) === "nobody's",
			);
			const [theirs] = free;
			if (!theirs) return undefined;
			if (free.length > 1)
				throw new FairleadError(
					"CloudAdoptionNeeded",
					`balancers ${free.map(({ id }) => id).join(" and ")} carry label ${ccmLabel} of this Service; remove it from those that are not its own`,
				);
			if (how === "Ask") throw needed(theirs);
			const problem = unfit(theirs);
			if (problem !== undefined)
				throw new FairleadError(
					"CloudRefused",
					`balancer ${theirs.id} cannot be taken over: ${problem}`,
				);
			// hcloud-ccm's own label stays: whoever goes back to that controller keeps the address as well.
			const parts = new Set([
				...theirs.services.map(serviceKey),
				...theirs.targets.flatMap((each) => targetKey(each) ?? []),
				...wanted.services.map(serviceKey),
				...wanted.targets.flatMap((each) => targetKey(each) ?? []),
			]);
			const { load_balancer } = await http.call(
				{
					method: "PUT",
					path: `/load_balancers/${theirs.id}`,
					body: {
						name: wanted.name,
						labels: {
							...foreignLabels(theirs.labels),
							...wanted.labels,
							...ownsLabels(parts),
						},
					},
					...look,
				},
				answers.balancer,
			);
			inventory.put(uid, load_balancer);
			return await inventory.get(identity, look);
		},
	};
}

function needed({ id, public_net }: CloudBalancer): FairleadError {
	const addresses = [public_net.ipv4?.ip, public_net.ipv6?.ip]
		.filter((ip) => ip)
		.join(", ");
	return new FairleadError(
		"CloudAdoptionNeeded",
		`balancer ${id} (${addresses}) was made for this Service by hcloud-cloud-controller-manager; stop that controller, then annotate the Service: ${annotations.adopt}=hcloud-ccm takes the balancer over with its addresses, ${annotations.adopt}=no leaves it and makes another`,
	);
}

/** Why Fairlead would break what the balancer does; undefined: it would not. */
function unfit({ services, targets }: CloudBalancer): string | undefined {
	for (const { protocol, listen_port, proxyprotocol } of services) {
		if (protocol !== "tcp")
			return `its listener ${listen_port} speaks ${protocol.toUpperCase()}, Fairlead's carry plain TCP; let the pods speak it, or set ${annotations.adopt}=no`;
		if (proxyprotocol)
			return `its listener ${listen_port} uses the PROXY protocol, which Fairlead's do not; turn it off first, or set ${annotations.adopt}=no`;
	}
	if (targets.some(({ type }) => type === "other"))
		return `it has targets picked by a label selector; remove them, or set ${annotations.adopt}=no`;
	return undefined;
}
