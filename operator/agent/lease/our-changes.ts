import type { Service } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";
import type { Change } from "../../cluster/index.ts";
import { assignmentOf } from "../../model/assignment.ts";
import { serviceOfSlice } from "../../model/rules/compile.ts";
import type { AgentStores } from "../stores.ts";

/**
 * Whether what the rules of a node took in since it was last asked is worth a report: what concerns Services of type
 * LoadBalancer that hold an address of ours. Everything else rides along with the next renewal.
 */
export class OurChanges {
	readonly #stores: AgentStores;
	readonly #undo: (() => void)[];
	#any = false;

	constructor(stores: AgentStores) {
		this.#stores = stores;
		this.#undo = [
			stores.services.onChange((change) => {
				if (isWorthTelling(change)) this.#any = true;
			}),
			stores.endpointSlices.onChange(({ object }) => {
				const key = serviceOfSlice(object);
				if (key !== undefined && this.isOurs(key)) this.#any = true;
			}),
		];
	}

	isOurs(serviceKey: string): boolean {
		const service = this.#stores.services.get(serviceKey);
		return service !== undefined && isOurs(service);
	}

	/** Says so once. */
	take(): boolean {
		const any = this.#any;
		this.#any = false;
		return any;
	}

	stop(): void {
		for (const undo of this.#undo) undo();
	}
}

function isOurs({ spec, metadata }: Service): boolean {
	return (
		spec.type === "LoadBalancer" &&
		metadata.annotations?.[annotations.assigned] !== undefined
	);
}

/** What the controller writes into the status of a Service whose addresses are shown already is nothing that nodes program. */
function isWorthTelling(change: Change<Service>): boolean {
	const { type, object } = change;
	if (type !== "updated") return isOurs(object);
	const { old } = change;
	if (!isOurs(object)) return isOurs(old);
	return !isShown(object) || asks(old) !== asks(object);
}

function isShown(service: Service): boolean {
	const shown = (service.status?.loadBalancer?.ingress ?? []).map(
		({ ip }) => ip,
	);
	return (assignmentOf(service)?.addresses ?? []).every((address) =>
		shown.includes(address),
	);
}

function asks({ spec, metadata }: Service): string {
	const { deletionTimestamp, annotations: noted = {} } = metadata;
	return JSON.stringify([spec, deletionTimestamp, noted[annotations.assigned]]);
}
