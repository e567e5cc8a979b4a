/** Text for people: colour only where it is wanted, and nothing that a terminal would obey. */
export interface Style {
	bold: (text: string) => string;
	dim: (text: string) => string;
	good: (text: string) => string;
	bad: (text: string) => string;
	warn: (text: string) => string;
}

const escape = "\u001b[";

export function styleOf(colour: boolean): Style {
	const wrap = (code: number) =>
		colour
			? (text: string) => `${escape}${code}m${text}${escape}0m`
			: (text: string) => text;
	return {
		bold: wrap(1),
		dim: wrap(2),
		good: wrap(32),
		bad: wrap(31),
		warn: wrap(33),
	};
}

/** Colour on a terminal, unless somebody set NO_COLOR (no-color.org) or a flag says otherwise. */
export function wantsColour(
	when: "auto" | "always" | "never",
	isTTY: boolean,
	env: NodeJS.ProcessEnv,
): boolean {
	if (when !== "auto") return when === "always";
	return isTTY && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

/** One line without control characters: names and messages come from whoever may write objects. */
export function plain(text: string): string {
	return text.replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
}
