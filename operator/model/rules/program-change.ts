import type {
	Backend,
	Frontend,
	HeldAddress,
	Program,
	ProgramChange,
} from "./program.ts";

/** What leads from one program to another: empty lists and no settings when they are the same. */
export function diff(a: Program, b: Program): ProgramChange {
	const change: ProgramChange = {
		frontends: differences(a.frontends, b.frontends, sameFrontend),
		held: differences(a.held, b.held, sameHeld),
	};
	if (!sameSettings(a, b)) change.settings = settingsOf(b);
	return change;
}

export function isEmpty(change: ProgramChange): boolean {
	return (
		change.frontends.length === 0 &&
		change.held.length === 0 &&
		change.settings === undefined
	);
}

export const emptyProgram: Program = {
	frontends: new Map(),
	held: new Map(),
	podCidrs: [],
	masqueradeAll: false,
};

function differences<T>(
	a: ReadonlyMap<string, T>,
	b: ReadonlyMap<string, T>,
	same: (a: T, b: T) => boolean,
): { before?: T; after?: T }[] {
	const found: { before?: T; after?: T }[] = [];
	for (const [key, before] of a) {
		const after = b.get(key);
		if (after === undefined) found.push({ before });
		else if (!same(before, after)) found.push({ before, after });
	}
	for (const [key, after] of b) if (!a.has(key)) found.push({ after });
	return found;
}

/** The same, slots included. */
export function sameFrontend(a: Frontend, b: Frontend): boolean {
	return (
		a === b ||
		(a.kind === b.kind &&
			a.address === b.address &&
			a.protocol === b.protocol &&
			a.port === b.port &&
			a.service === b.service &&
			a.portName === b.portName &&
			a.whenEmpty === b.whenEmpty &&
			a.masquerade === b.masquerade &&
			a.affinitySeconds === b.affinitySeconds &&
			sameList(a.sourceRanges, b.sourceRanges, (x, y) => x === y) &&
			sameList(a.endpoints, b.endpoints, sameBackend) &&
			sameList(a.internalEndpoints, b.internalEndpoints, sameBackend) &&
			sameList(a.lasting, b.lasting, sameBackend))
	);
}

export function sameHeld(a: HeldAddress, b: HeldAddress): boolean {
	return a.address === b.address && a.echo === b.echo;
}

type Settings = NonNullable<ProgramChange["settings"]>;

export function settingsOf(of: Settings): Settings {
	return { podCidrs: of.podCidrs, masqueradeAll: of.masqueradeAll };
}

export function sameSettings(a: Settings, b: Settings): boolean {
	return (
		a.masqueradeAll === b.masqueradeAll &&
		a.podCidrs.join() === b.podCidrs.join()
	);
}

function sameBackend(a: Backend, b: Backend): boolean {
	return a.address === b.address && a.port === b.port && a.local === b.local;
}

function sameList<T>(
	a: readonly T[] | undefined,
	b: readonly T[] | undefined,
	same: (a: T, b: T) => boolean,
): boolean {
	if (a === undefined || b === undefined) return a === b;
	return (
		a.length === b.length && a.every((each, index) => same(each, b[index] as T))
	);
}
