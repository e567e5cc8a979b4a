/** Rules for names and labels, with the texts of k8s.io/apimachinery/pkg/util/validation. */

const subdomain =
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const label =
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const qualifiedPart =
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelText =
	"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const labelPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomainPattern =
	/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

const atMost = (bytes: number) => `must be no more than ${bytes} bytes`;

/** What is wrong with each; nothing wrong: an empty list. */
export function dnsLabel(value: string): string[] {
	if (value.includes(".")) return ["must not contain dots"];
	return [
		...(value.length > 63 ? [atMost(63)] : []),
		...(labelPattern.test(value) ? [] : [label]),
	];
}

export function dnsSubdomain(value: string): string[] {
	return [
		...(value.length > 253 ? [atMost(253)] : []),
		...(subdomainPattern.test(value) ? [] : [subdomain]),
	];
}

/** `prefix/name`, the rule for label keys and finalizers. */
export function qualifiedName(value: string): string[] {
	const parts = value.split("/");
	const errors: string[] = [];
	const name = parts.at(-1) ?? "";
	if (parts.length > 2)
		return [
			"a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
		];
	if (parts.length === 2) {
		const prefix = parts[0] ?? "";
		if (!prefix) errors.push("prefix part must be non-empty");
		else
			errors.push(...dnsSubdomain(prefix).map((why) => `prefix part ${why}`));
	}
	if (!name) errors.push("name part must be non-empty");
	else if (name.length > 63) errors.push(`name part ${atMost(63)}`);
	if (!qualifiedPattern.test(name)) errors.push(qualifiedPart);
	return errors;
}

export function labelValue(value: string): string[] {
	return [
		...(value.length > 63 ? [atMost(63)] : []),
		...(value === "" || qualifiedPattern.test(value) ? [] : [labelText]),
	];
}

/** The rule for kinds with no rule of their own: it must stand as one segment of a path. */
export function pathSegment(value: string): string[] {
	if (value === "." || value === "..") return [`may not be '${value}'`];
	return ["/", "%"]
		.filter((one) => value.includes(one))
		.map((one) => `may not contain '${one}'`);
}

const letters = "bcdfghjklmnpqrstvwxz2456789";

/** A name that begins with `base`, as names.SimpleNameGenerator makes it. */
export function generateName(
	base: string,
	random: (bytes: number) => Uint8Array,
): string {
	const suffix = [...random(5)]
		.map((byte) => letters[byte % letters.length])
		.join("");
	return base.slice(0, 58) + suffix;
}
