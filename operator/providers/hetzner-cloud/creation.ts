import { FairleadError, isFairleadError } from "../../errors.ts";
import type { BalancerIdentity } from "../../model/balancer/balancer.ts";
import type { Actions } from "./actions.ts";
import type { WantedBalancer } from "./diff.ts";
import type { CloudHttp } from "./http.ts";
import type { Inventory, Known, Look } from "./inventory.ts";
import { holder, ownsLabels, serviceKey, targetKey } from "./ownership.ts";
import { cloudRefusal, mayHaveHappened } from "./refusals.ts";
import { answers } from "./wire.ts";

/** What a BalancerClass says of the balancers made through it. */
export interface Placement {
	type: string;
	location?: string;
	networkZone?: string;
	/** Id of the network servers are reached through; absent: their public addresses. */
	network?: number;
}

export interface Creation {
	/**
	 * Makes the Service's balancer, which a fresh look has not found. The name is the same for the same Service and
	 * unique in the cloud, so that a create that was lost, or made by another process meanwhile, is met, not doubled.
	 */
	create(
		identity: BalancerIdentity,
		wanted: WantedBalancer,
		look: Look,
	): Promise<Known>;
}

export function createCreation(
	http: CloudHttp,
	inventory: Inventory,
	actions: Actions,
	placement: Placement,
): Creation {
	async function post(
		identity: BalancerIdentity,
		wanted: WantedBalancer,
		look: Look,
	): Promise<Known> {
		const parts = [
			...wanted.services.map(serviceKey),
			...wanted.targets.map((target) => targetKey(target) as string),
		];
		const labels = { ...wanted.labels, ...ownsLabels(parts) };
		const { load_balancer, action } = await http.call(
			{
				method: "POST",
				path: "/load_balancers",
				body: {
					name: wanted.name,
					load_balancer_type: placement.type,
					...(placement.location === undefined
						? { network_zone: placement.networkZone }
						: { location: placement.location }),
					...(placement.network === undefined
						? {}
						: { network: placement.network }),
					algorithm: { type: wanted.algorithm },
					labels,
					services: wanted.services,
					targets: wanted.targets,
				},
				...look,
			},
			answers.created,
		);
		// What was asked for comes true when the action ends; until then the answer may not show it.
		const { services, targets } = wanted;
		const known = inventory.put(identity.serviceUid, {
			...load_balancer,
			labels,
			services,
			targets,
		});
		known.unsure = false;
		const ended = actions.follow(load_balancer.id, action, {
			do: "create",
			services,
			targets,
		});
		if (ended?.error) {
			known.stale = true;
			throw ended.error;
		}
		return known;
	}

	/** The balancer of ours that a POST met, or made although its answer was lost. */
	async function findMade(
		identity: BalancerIdentity,
		look: Look,
	): Promise<Known | undefined> {
		const labelled = await inventory.find(identity, look);
		if (labelled) return labelled;
		const named = await inventory.findByName(identity.name, look);
		if (!named) return undefined;
		if (holder(named, identity) === "another's")
			throw new FairleadError(
				"CloudNameTaken",
				`balancer ${named.id} has the name ${identity.name} and carries another Service's or cluster's labels; rename or delete it`,
			);
		// Somebody wiped its labels; nobody else makes this name.
		inventory.put(identity.serviceUid, named);
		return await inventory.get(identity, look);
	}

	return {
		async create(identity, wanted, look) {
			try {
				try {
					return await post(identity, wanted, look);
				} catch (error) {
					if (!aboutParts(error, wanted)) throw error;
					// One part the cloud will not have must not cost the others: each is then added on its own.
					return await post(
						identity,
						{ ...wanted, services: [], targets: [] },
						look,
					);
				}
			} catch (error) {
				const nameTaken = isFairleadError(error, "CloudNameTaken");
				if (!nameTaken && !mayHaveHappened(error)) throw error;
				const made = await findMade(identity, look).catch((second) => {
					// While nothing can be reached the first error says more.
					throw mayHaveHappened(second) ? error : second;
				});
				if (!made) throw error;
				return made;
			}
		},
	};
}

/** Whether the cloud refused a create for the sake of a listener or target in it. */
function aboutParts(error: unknown, wanted: WantedBalancer): boolean {
	if (wanted.services.length + wanted.targets.length === 0) return false;
	const refusal = cloudRefusal(error);
	if (!refusal) return false;
	if (refusal.fields.length > 0)
		return refusal.fields.some((field) => /^(services|targets)\b/.test(field));
	return (
		isFairleadError(error, "CloudRefused", "CloudNotFound") ||
		refusal.code === "robot_unavailable"
	);
}
