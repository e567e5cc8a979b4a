import { isFairleadError } from "../../errors.ts";
import type { BalancerIdentity } from "../../model/balancer/balancer.ts";
import type { Deletion } from "../provider.ts";
import type { Actions } from "./actions.ts";
import type { CloudHttp } from "./http.ts";
import type { Inventory, Known, Look } from "./inventory.ts";
import { holder } from "./ownership.ts";
import { cloudRefusal } from "./refusals.ts";
import { answers } from "./wire.ts";

/** A protected balancer waits for a person. */
const protectedRetryMs = 60_000;

export function createDeletion(
	http: CloudHttp,
	inventory: Inventory,
	actions: Actions,
): { run(identity: BalancerIdentity, look: Look): Promise<Deletion> } {
	/** The balancer as it is on the cloud now, not as remembered: what is gone stays gone, what was missed is found. */
	async function lookFor(
		identity: BalancerIdentity,
		look: Look,
	): Promise<Known | undefined> {
		const known = await inventory.get(identity, look);
		if (known) return known;
		const labelled = await inventory.find(identity, look);
		if (labelled) return labelled;
		const named = await inventory.findByName(identity.name, look);
		if (!named || holder(named, identity) === "another's") return undefined;
		return inventory.put(identity.serviceUid, named);
	}

	function waiting({ balancer }: Known, waitingFor?: string): Deletion {
		return {
			gone: false,
			waitingFor: waitingFor ?? `the cloud to delete balancer ${balancer.id}`,
			retryAfterMs: actions.nextLook(balancer.id),
		};
	}

	return {
		async run(identity, look) {
			const uid = identity.serviceUid;
			const known = await lookFor(identity, look);
			if (!known) return { gone: true };
			const { id } = known.balancer;
			if (known.deleting) {
				const ended = await actions.poll(id, look.signal);
				if (!(await inventory.reread(uid, look))) return { gone: true };
				const failed = ended.find((each) => each.error)?.error;
				const running = actions.running(id).length > 0;
				known.deleting = running;
				if (failed) throw failed;
				// Over, and still there: the next pass asks for it again.
				return waiting(known);
			}
			try {
				const { action } = await http.call(
					{ method: "DELETE", path: `/load_balancers/${id}`, ...look },
					answers.deleted,
				);
				known.deleting = true;
				const ended = action && actions.follow(id, action);
				if (ended?.error) {
					known.deleting = false;
					throw ended.error;
				}
				if (action && !ended) return waiting(known);
				if (!(await inventory.reread(uid, look))) return { gone: true };
				return waiting(known);
			} catch (error) {
				if (isFairleadError(error, "CloudNotFound")) {
					inventory.drop(uid);
					return { gone: true };
				}
				if (isFairleadError(error, "CloudBusy"))
					return waiting(
						known,
						`the cloud to finish other work on balancer ${id}`,
					);
				if (cloudRefusal(error)?.code === "protected")
					return {
						gone: false,
						waitingFor: `somebody to lift the delete protection of balancer ${id} in the cloud`,
						retryAfterMs: protectedRetryMs,
					};
				throw error;
			}
		},
	};
}
