import type { Frontend, ProgramChange } from "../../model/rules/program.ts";
import { allEndpoints } from "./frontend-elements.ts";

type Change = ProgramChange["frontends"][number];

/**
 * How many elements the frontends of a piece have, roughly: few enough to fit into one transaction wherever the kernel limits
 * those, and to be in memory as objects at one time. One frontend may have more.
 */
const PIECE = 1_024;

/** Beside those for endpoints and source ranges. */
const ELEMENTS_EACH = 4;

/** The same changes in the same order, some at a time. */
export function* inPieces(changes: readonly Change[]): Generator<Change[]> {
	let piece: Change[] = [];
	let size = 0;
	for (const change of changes) {
		const more = elementsOf(change.before) + elementsOf(change.after);
		if (piece.length > 0 && size + more > PIECE) {
			yield piece;
			piece = [];
			size = 0;
		}
		piece.push(change);
		size += more;
	}
	if (piece.length > 0) yield piece;
}

function elementsOf(frontend: Frontend | undefined): number {
	if (!frontend) return 0;
	const { sourceRanges = [] } = frontend;
	return ELEMENTS_EACH + allEndpoints(frontend).length + sourceRanges.length;
}
