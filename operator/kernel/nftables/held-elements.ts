import type { IPFamily } from "../../api/core.ts";
import type { HeldAddress } from "../../model/rules/program.ts";
import { addressBytes } from "../address-bytes.ts";
import type { Element } from "./elements.ts";
import { type ElementChanges, put } from "./frontend-elements.ts";

/** Adds to `changes` what differs in a family's sets between two states of one address; nothing if it is of the other family. */
export function changeHeld(
	changes: ElementChanges,
	family: IPFamily,
	before: HeldAddress | undefined,
	after: HeldAddress | undefined,
): void {
	const address = (after ?? before)?.address;
	if (address === undefined) return;
	if (address.includes(":") !== (family === "IPv6")) return;
	const element: Element = { key: addressBytes(address) };
	for (const [set, had, has] of [
		["held", before !== undefined, after !== undefined],
		["echo", before?.echo === true, after?.echo === true],
	] as const) {
		if (had && !has) put(changes.deleted, set, element);
		if (has && !had) put(changes.added, set, element);
	}
}
