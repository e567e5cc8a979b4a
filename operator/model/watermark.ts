import { compareVersions } from "./resource-version.ts";

/**
 * How far a node's rules reflect the cluster: everything up to these resourceVersions is in force. A pair, since versions
 * compare only within one resource.
 */
export interface Watermark {
	services: string;
	endpointSlices: string;
}

/** Whether rules that stand at `reached` reflect what is asked for; nothing reflects anything before the first sync. */
export function reflects(
	reached: Watermark | undefined,
	asked: Partial<Watermark>,
): boolean {
	return (
		reached !== undefined &&
		isPast(reached.services, asked.services) &&
		isPast(reached.endpointSlices, asked.endpointSlices)
	);
}

function isPast(reached: string, asked: string | undefined): boolean {
	return asked === undefined || compareVersions(reached, asked) >= 0;
}
