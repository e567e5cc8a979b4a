/**
 * Names as text: labels with dots between and none at the end, "." for the root. A byte that is no printable ASCII
 * character, and any of . \ " ( ) ; @ $ within a label, is escaped as in RFC 1035 section 5.1, so every name on the wire
 * has just one text, and no text of a Kubernetes name needs an escape.
 */

/** What is no message; the text says where it ends to be one. */
export class MalformedMessage extends Error {
	override readonly name = "MalformedMessage";
}

const longestName = 255;
const longestLabel = 63;

/** Letters A to Z in lower case: names are equal in any case (RFC 4343). */
export function foldName(name: string): string {
	return name.toLowerCase();
}

/**
 * Reads the name at `offset`; `end` is where it ends in place, behind the first pointer if there is one. Throws
 * MalformedMessage. Pointers must go back, so reading always ends.
 */
export function readName(
	bytes: Uint8Array,
	offset: number,
): { name: string; end: number } {
	// Labels with a dot between, as bytes: most names need no escape, and text is dear to make byte by byte.
	const joined = Buffer.allocUnsafe(longestName);
	let used = 0;
	let escaped: string[] | undefined;
	let end = -1;
	let at = offset;
	let floor = offset;
	for (;;) {
		const size = bytes[at];
		if (size === undefined)
			throw new MalformedMessage("a name runs over the end");
		if (size === 0) break;
		if (size >= 0xc0) {
			const low = bytes[at + 1];
			if (low === undefined)
				throw new MalformedMessage("a pointer runs over the end");
			const target = ((size & 0x3f) << 8) | low;
			if (target >= floor)
				throw new MalformedMessage("a pointer does not go back");
			if (end < 0) end = at + 2;
			at = target;
			floor = target;
			continue;
		}
		if (size > longestLabel)
			throw new MalformedMessage("a label has an unknown kind");
		const next = at + 1 + size;
		if (next > bytes.length)
			throw new MalformedMessage("a label runs over the end");
		// Two more than the text: the first length and the zero at the end.
		if (used + size + (used > 0 ? 1 : 0) + 2 > longestName)
			throw new MalformedMessage("a name is too long");
		if (used > 0) joined[used++] = dot;
		const start = used;
		for (at++; at < next; at++) {
			const byte = bytes[at] as number;
			if (!isPlain[byte]) escaped ??= labelsUpTo(joined, start);
			joined[used++] = byte;
		}
		escaped?.push(labelText(joined, start, used));
	}
	if (end < 0) end = at + 1;
	if (used === 0) return { name: ".", end };
	return {
		name: escaped?.join(".") ?? joined.toString("latin1", 0, used),
		end,
	};
}

/** Labels before the one at `start`, none of which needed an escape. */
function labelsUpTo(joined: Buffer, start: number): string[] {
	return start === 0 ? [] : joined.toString("latin1", 0, start - 1).split(".");
}

function labelText(joined: Buffer, start: number, end: number): string {
	let text = "";
	for (let at = start; at < end; at++)
		text += characters[joined[at] as number] as string;
	return text;
}

/** Labels of a name as bytes. Throws a RangeError when it is no name: too long, or with an empty label. */
export function labelsOf(name: string): Uint8Array[] {
	if (name === ".") return [];
	const labels: Uint8Array[] = [];
	let length = 1;
	for (const label of splitName(name)) {
		const bytes = labelBytes(label);
		length += bytes.length + 1;
		if (bytes.length === 0 || bytes.length > longestLabel)
			throw new RangeError(`${name} has a label of ${bytes.length} bytes`);
		if (length > longestName) throw new RangeError(`${name} is too long`);
		labels.push(bytes);
	}
	return labels;
}

/** Labels as text, escapes kept. */
export function splitName(name: string): string[] {
	if (name === ".") return [];
	if (!name.includes("\\")) return name.split(".");
	return name.match(/(?:\\\d{3}|\\.|[^.\\])+/g) ?? [];
}

/**
 * The part of `name` before `zone`: "" when they are the same name, undefined when `name` is not within `zone`. Both
 * folded.
 */
export function relativeTo(name: string, zone: string): string | undefined {
	if (name === zone) return "";
	if (zone === ".") return name;
	const at = name.length - zone.length - 1;
	if (at <= 0 || name[at] !== "." || !name.endsWith(zone)) return undefined;
	// An escaped dot is part of a label, unless the backslash is itself escaped.
	let backslashes = 0;
	while (name[at - 1 - backslashes] === "\\") backslashes++;
	return backslashes % 2 === 1 ? undefined : name.slice(0, at);
}

const characters = Array.from({ length: 256 }, (_, byte) => {
	const character = String.fromCharCode(byte);
	if ('.\\"();@$'.includes(character)) return `\\${character}`;
	return byte > 32 && byte < 127
		? character
		: `\\${byte.toString().padStart(3, "0")}`;
});

const isPlain = characters.map((character) => character.length === 1);
const dot = ".".charCodeAt(0);

function labelBytes(label: string): Uint8Array {
	const bytes = new Uint8Array(label.length);
	let size = 0;
	for (let at = 0; at < label.length; at++) {
		let code = label.charCodeAt(at);
		if (code === 92) {
			const digits = label.slice(at + 1, at + 4);
			if (/^\d{3}$/.test(digits)) {
				code = Number(digits);
				at += 3;
			} else code = label.charCodeAt(++at);
		}
		bytes[size++] = code;
	}
	return bytes.subarray(0, size);
}
