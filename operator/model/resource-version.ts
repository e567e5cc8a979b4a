const decimal = /^\d+$/;

/**
 * Orders two resourceVersions of one resource: negative when `a` is older, 0 when they are the same, positive when `a`
 * is newer. Since Kubernetes 1.35 they are comparable integers of any length (KEP-5504). Of versions that are not
 * integers nothing can be told but whether they are equal: `a` then counts as newer, since it is the one that came last.
 */
export function compareVersions(
	a: string | undefined,
	b: string | undefined,
): number {
	if (a === b) return 0;
	if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
	if (!decimal.test(a) || !decimal.test(b)) return 1;
	return a.length - b.length || (a < b ? -1 : 1);
}
