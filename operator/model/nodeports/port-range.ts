/** Ports first to last, both included. */
export interface PortRange {
	first: number;
	last: number;
}

/** The API server's --service-node-port-range where nobody sets it. */
export const defaultNodePortRange: PortRange = { first: 30_000, last: 32_767 };

/**
 * Reads `30000-30063` or `30000`, blanks around the hyphen allowed; undefined for anything else, for an end outside 1 to
 * 65535, and where the first port is above the last. crds/nodeportpool.yaml checks the same in CEL.
 */
export function parsePortRange(text: string): PortRange | undefined {
	const [, from, to] =
		/^\s*([1-9]\d{0,4})\s*(?:-\s*([1-9]\d{0,4})\s*)?$/.exec(text) ?? [];
	if (from === undefined) return undefined;
	const first = Number(from);
	const last = Number(to ?? from);
	return first <= last && last <= 65_535 ? { first, last } : undefined;
}

export function formatPortRange({ first, last }: PortRange): string {
	return first === last ? String(first) : `${first}-${last}`;
}

export function rangeSize({ first, last }: PortRange): number {
	return last - first + 1;
}

export function inRange({ first, last }: PortRange, port: number): boolean {
	return first <= port && port <= last;
}

/** What two ranges have in common. */
export function commonRange(a: PortRange, b: PortRange): PortRange | undefined {
	const first = Math.max(a.first, b.first);
	const last = Math.min(a.last, b.last);
	return first <= last ? { first, last } : undefined;
}

/** `range` without `holes`, in order. */
export function withoutRanges(
	range: PortRange,
	holes: readonly PortRange[],
): PortRange[] {
	const left: PortRange[] = [];
	let { first } = range;
	for (const hole of [...holes].sort((a, b) => a.first - b.first)) {
		const common = commonRange({ first, last: range.last }, hole);
		if (!common) continue;
		if (first < common.first) left.push({ first, last: common.first - 1 });
		first = common.last + 1;
		if (first > range.last) return left;
	}
	return [...left, { first, last: range.last }];
}

/**
 * The low ports of the API server's range that it gives to Services which name none only once all others are taken;
 * undefined for a range too small to have one. Source: k8s.io/kubernetes, pkg/registry/core/service/portallocator,
 * calculateRangeOffset (KEP-3668).
 */
export function staticBand(range: PortRange): PortRange | undefined {
	const size = rangeSize(range);
	if (size <= 16) return undefined;
	const width = Math.min(Math.max(16, Math.floor(size / 32)), 128);
	return { first: range.first, last: range.first + width - 1 };
}
