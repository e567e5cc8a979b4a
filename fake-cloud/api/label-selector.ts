/**
 * Hetzner's label selectors (docs.hetzner.cloud, "Label Selector"): requirements joined by commas, all of which must
 * hold: `k=v`, `k==v`, `k!=v`, `k`, `!k`, `k in (a,b)`, `k notin (a,b)`. As in Kubernetes, `!=` and `notin` hold for
 * resources without the key.
 */
export type Selector = (labels: Record<string, string>) => boolean;

const name = "[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?";
const prefix = "[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?";
const keyPattern = `(?:${prefix}/)?${name}`;
const valuePattern = `(?:${name})?`;

const isKey = new RegExp(`^${keyPattern}$`);
const isValue = new RegExp(`^${valuePattern}$`);
const requirement = new RegExp(
	`^\\s*(?:(?<not>!)\\s*(?<absent>${keyPattern})` +
		`|(?<in>${keyPattern})\\s+(?<op>in|notin)\\s*\\((?<values>[^()]*)\\)` +
		`|(?<key>${keyPattern})\\s*(?:(?<equals>==|=|!=)\\s*(?<value>${valuePattern}))?)\\s*(?:,|$)`,
);

/** Undefined when `text` is no selector; an empty one selects everything. */
export function parseSelector(text: string): Selector | undefined {
	const requirements: Selector[] = [];
	let rest = text;
	while (rest.trim() !== "") {
		const match = requirement.exec(rest);
		const parsed = match && toSelector(match.groups ?? {});
		if (!match || !parsed) return undefined;
		requirements.push(parsed);
		const comma = match[0].endsWith(",");
		rest = rest.slice(match[0].length);
		if (comma && rest.trim() === "") return undefined;
	}
	return (labels) => requirements.every((holds) => holds(labels));
}

function toSelector(
	groups: Record<string, string | undefined>,
): Selector | undefined {
	const { absent, in: listed, op, values, key, equals, value = "" } = groups;
	if (absent !== undefined) return (labels) => !Object.hasOwn(labels, absent);
	if (listed !== undefined) {
		const wanted = (values ?? "").split(",").map((text) => text.trim());
		if (!wanted.every((text) => isValue.test(text))) return undefined;
		const isIn: Selector = (labels) =>
			Object.hasOwn(labels, listed) &&
			wanted.includes(labels[listed] as string);
		return op === "in" ? isIn : (labels) => !isIn(labels);
	}
	if (key === undefined) return undefined;
	if (equals === undefined) return (labels) => Object.hasOwn(labels, key);
	const is: Selector = (labels) =>
		Object.hasOwn(labels, key) && labels[key] === value;
	return equals === "!=" ? (labels) => !is(labels) : is;
}

/** Why `labels` cannot be a resource's labels; undefined when they can. */
export function labelsProblem(
	labels: Record<string, string>,
): string | undefined {
	for (const [key, value] of Object.entries(labels)) {
		if (!isKey.test(key)) return `label key ${JSON.stringify(key)} is invalid`;
		if (key.startsWith("hetzner.cloud/"))
			return `label key ${JSON.stringify(key)} has the reserved prefix hetzner.cloud/`;
		if (!isValue.test(value))
			return `value ${JSON.stringify(value)} of label ${key} is invalid`;
	}
	return undefined;
}
