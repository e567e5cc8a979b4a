const mostCharacters = 80;

/** Whatever a user wrote, shown in a message of bearable length and on one line. */
export function quote(text: string): string {
	// JSON leaves these two as they are, though they end a line as well.
	return JSON.stringify(clip(text))
		.replaceAll("\u2028", "\\u2028")
		.replaceAll("\u2029", "\\u2029");
}

/** The start of a text that is too long to be shown as a whole. */
export function clip(text: string): string {
	return text.length > mostCharacters
		? `${text.slice(0, mostCharacters - 1)}…`
		: text;
}

/** A name as it is where it can be the name of an object (RFC 1123), quoted where it can not. */
export function quoteUnlessName(name: string): string {
	return /^[a-z0-9][a-z0-9.-]*$/.test(name) ? clip(name) : quote(name);
}
