/**
 * What the page shows, as signals. Written by main.js and by what a person does; read by the views.
 *
 * @import { Connection } from "./stream.js"
 * @import { View } from "./state.d.ts"
 * @import { LiveBalancer } from "../../api/live.ts"
 * @import { PendingAnswer } from "../pending.ts"
 * @import { ServicePath } from "../services/service-path.ts"
 */
import { computed, signal } from "@preact/signals";
import { serviceOf } from "./service.js";

/** Null until the state was read. */
export const view = signal(/** @type {View | null} */ (null));

export const connection = signal(
	/** @type {Connection} */ ({
		phase: "connecting",
		how: null,
		attempt: 0,
		reason: null,
	}),
);

/** The page's clock in milliseconds since the epoch, once a second. */
export const now = signal(Date.now());

/** Null until asked; an Error when the cluster could not be asked. */
export const pending = signal(
	/** @type {PendingAnswer | Error | null} */ (null),
);

/** The cluster's Services by `namespace/name`; null where no cluster can be asked. */
export const services = signal(
	/** @type {ReadonlyMap<string, ServicePath> | null} */ (null),
);

/** The Service a balancer is for, as the cluster has it. @param {LiveBalancer} balancer */
export const servicePathOf = (balancer) =>
	services.value?.get(serviceOf(balancer) ?? "") ?? null;

/** What a screen reader says next. */
export const announcement = signal("");

/** The balancer a person chose. */
export const chosen = signal(/** @type {number | null} */ (null));

/** All balancers, those of Services by their names first. */
export const balancers = computed(() =>
	[...(view.value?.balancers.values() ?? [])].sort((a, b) => {
		const [left, right] = [serviceOf(a), serviceOf(b)];
		if ((left === null) !== (right === null)) return left === null ? 1 : -1;
		return (
			(left ?? a.name).localeCompare(right ?? b.name, "en", {
				numeric: true,
			}) || a.id - b.id
		);
	}),
);

/** The one shown in full: the chosen one, or the first. */
export const shown = computed(
	() =>
		balancers.value.find((one) => one.id === chosen.value) ??
		balancers.value[0] ??
		null,
);
