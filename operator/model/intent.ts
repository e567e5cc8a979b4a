import type { Service } from "../api/core.ts";
import { finalizers } from "../api/names.ts";
import { wasWorkedFor } from "./claims.ts";
import { finalizerOf, type Holding, holdingOf } from "./holding.ts";
import type { Ownership } from "./ownership.ts";
import type { OwnWorld, World } from "./world.ts";

/** What a Service is headed for; decides which call to a provider its outcome is asked of. */
export type Intent =
	/** `holding` undefined: something is held, but the record of who holds it was wiped. */
	| { kind: "LetGo"; holding: Holding | undefined }
	| { kind: "Serve"; className: string; ours: OwnWorld }
	/** Nothing to do with providers. */
	| { kind: "Describe" };

export function intentOf(world: Omit<World, "outcome">): Intent {
	const { service, ownership, ours } = world;
	const holding = heldBy(service, ownership);
	const leaving =
		service.metadata.deletionTimestamp !== undefined ||
		ownership.kind === "NotOurs";
	if (leaving) {
		const present = service.metadata.finalizers ?? [];
		const wiped =
			present.includes(finalizers.classed) ||
			(present.includes(finalizers.classless) && wasWorkedFor(service));
		return holding || wiped ? { kind: "LetGo", holding } : { kind: "Describe" };
	}
	if (ownership.kind === "Refused" || !ours) return { kind: "Describe" };
	const { metadata, spec } = ownership.class;
	const moved =
		holding &&
		(holding.className !== metadata.name || holding.provider !== spec.provider);
	return moved
		? { kind: "LetGo", holding }
		: { kind: "Serve", className: metadata.name, ours };
}

/** Who holds something for a Service: as recorded, or, where that was wiped, as its class and finalizer tell. */
function heldBy(service: Service, ownership: Ownership): Holding | undefined {
	const recorded = holdingOf(service);
	if (recorded || ownership.kind !== "Ours" || !holdsFinalizer(service))
		return recorded;
	const { metadata, spec } = ownership.class;
	return { className: metadata.name, provider: spec.provider };
}

function holdsFinalizer(service: Service): boolean {
	return service.metadata.finalizers?.includes(finalizerOf(service)) ?? false;
}
