type Json = Record<string, unknown>;

/**
 * The JSON merge patch (RFC 7386) that makes `to` of `from`; undefined when they are the same. A field that is absent or
 * undefined in `to` is removed.
 */
export function mergeDiff(from: object, to: object): object | undefined {
	const before = from as Json;
	const after = to as Json;
	const patch: Json = {};
	for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
		const [a, b] = [before[key], after[key]];
		if (b === undefined) {
			if (a !== undefined) patch[key] = null;
		} else if (isPlain(a) && isPlain(b)) {
			const inner = mergeDiff(a, b);
			if (inner) patch[key] = inner;
		} else if (!sameMeaning(a, b)) patch[key] = b;
	}
	return Object.keys(patch).length > 0 ? patch : undefined;
}

/**
 * Whether two JSON values mean the same to the API: absent, null, empty lists and empty objects are one (apimachinery's
 * equality.Semantic).
 */
export function sameMeaning(a: unknown, b: unknown): boolean {
	if (a === b || (isEmpty(a) && isEmpty(b))) return true;
	if (Array.isArray(a))
		return (
			Array.isArray(b) &&
			a.length === b.length &&
			a.every((item, index) => sameMeaning(item, b[index]))
		);
	if (!isPlain(a) || !isPlain(b)) return false;
	return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) =>
		sameMeaning(a[key], b[key]),
	);
}

function isEmpty(value: unknown): boolean {
	return (
		value === undefined ||
		value === null ||
		(typeof value === "object" && Object.keys(value).length === 0)
	);
}

function isPlain(value: unknown): value is Json {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
