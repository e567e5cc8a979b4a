import type { Backend } from "./program.ts";

/**
 * Puts endpoints into slots with the least writes, given what the slots hold: who stays keeps the slot, newcomers take the
 * holes and then the end, and holes that remain are filled with the last ones. Each slot below the new length whose endpoint
 * is gone costs one write, and each slot above it one removal; nothing else is touched.
 */
export function arrange(
	before: readonly Backend[],
	wanted: readonly Backend[],
): Backend[] {
	const waiting = new Map<string, Backend>();
	for (const backend of wanted) waiting.set(idOf(backend), backend);
	const length = waiting.size;
	const slots: (Backend | undefined)[] = [];
	const displaced: Backend[] = [];
	for (const [slot, backend] of before.entries()) {
		const id = idOf(backend);
		const stays = waiting.get(id);
		if (stays) {
			waiting.delete(id);
			if (slot < length) slots[slot] = stays;
			else displaced.push(stays);
		}
	}
	const fillers = [...waiting.values(), ...displaced.reverse()].values();
	const arranged: Backend[] = [];
	for (let slot = 0; slot < length; slot++) {
		const backend = slots[slot] ?? fillers.next().value;
		if (backend) arranged.push(backend);
	}
	return arranged;
}

function idOf({ address, port }: Backend): string {
	return `${address}|${port}`;
}
