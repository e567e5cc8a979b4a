import { createHash } from "node:crypto";
import { FairleadError } from "../../operator/errors.ts";

export interface Token {
	token: string;
	/** Tokens of one project see the same resources, and nothing of any other; absent: `default`. */
	project?: string;
	/** Only GET is allowed. */
	readOnly?: boolean;
}

/**
 * Reads a token file: one token per line, `TOKEN [PROJECT [read]]`; empty lines and what follows `#` do not count.
 *
 * @throws FairleadError FlagInvalid, naming the line but never the token
 */
export function parseTokenFile(content: string): Token[] {
	const tokens: Token[] = [];
	content.split(/\r?\n/).forEach((text, index) => {
		const words = text
			.replace(/(^|\s)#.*/, "")
			.trim()
			.split(/\s+/);
		const [token, project = "default", access, ...more] = words;
		if (!token) return;
		const wrong = (why: string) =>
			new FairleadError(
				"FlagInvalid",
				`token file, line ${index + 1}: ${why}; a line is TOKEN [PROJECT [read]]`,
			);
		if (more.length > 0 || (access !== undefined && access !== "read"))
			throw wrong("unexpected words after the project");
		if (tokens.some((other) => other.token === token))
			throw wrong("the same token again");
		tokens.push({ token, project, readOnly: access === "read" });
	});
	return tokens;
}

export interface Grant {
	project: string;
	readOnly: boolean;
}

/** Who a token is; tokens are compared by their hash, so how long it takes says nothing of them. */
export class Tokens {
	readonly #grants = new Map<string, Grant>();

	/** @throws FairleadError FlagInvalid */
	constructor(tokens: readonly Token[]) {
		if (tokens.length === 0)
			throw new FairleadError(
				"FlagInvalid",
				"the fake cloud needs at least one token",
			);
		for (const { token, project = "default", readOnly = false } of tokens)
			this.#grants.set(hash(token), { project, readOnly });
	}

	/** By the value of an Authorization header. */
	grant(authorization: string | undefined): Grant | undefined {
		const match = /^Bearer +(\S+) *$/i.exec(authorization ?? "");
		return match?.[1] === undefined
			? undefined
			: this.#grants.get(hash(match[1]));
	}

	projects(): string[] {
		return [
			...new Set([...this.#grants.values()].map(({ project }) => project)),
		].sort();
	}
}

function hash(token: string): string {
	return createHash("sha256").update(token).digest("base64");
}
