import fc from "fast-check";
import { isFairleadError } from "../operator/errors.ts";
import { quote } from "../operator/model/quote.ts";
import { anyText } from "../test/support/nasty-values.ts";
import { explainFlags, planFlags } from "./asking-config.ts";
import {
	agentFlags,
	controllerFlags,
	dnsFlags,
	fakeCloudFlags,
	sandboxFlags,
} from "./config.ts";
import { type Flags, parseFlags } from "./flags.ts";

const commands: Record<string, Flags> = {
	agent: agentFlags,
	controller: controllerFlags,
	dns: dnsFlags,
	explain: explainFlags,
	"fake-cloud": fakeCloudFlags,
	plan: planFlags,
	sandbox: sandboxFlags,
};

/** What a command line is told: undefined when it is taken. */
function complaint(flags: Flags, args: string[]): string | undefined {
	try {
		parseFlags(flags, args);
		return undefined;
	} catch (error) {
		if (!isFairleadError(error, "FlagInvalid")) throw error;
		return error.message;
	}
}

const valued = Object.entries(commands).flatMap(([command, flags]) =>
	Object.entries(flags)
		.filter(([, { value }]) => value !== undefined)
		.map(([flag]) => [command, flag, flags] as const),
);

describe("a flag with any value at all", () => {
	it.each(valued)(
		"%s --%s: is taken, or refused in one line of bearable length with its name and the value",
		(_command, flag, flags) => {
			const others = Object.keys(flags)
				.filter((name) => name !== flag)
				.map((name) => `--${name} is missing`);
			fc.assert(
				fc.property(anyText, (value) => {
					const said = complaint(flags, [`--${flag}=${value}`]);
					if (said === undefined) return;
					// A command's other flags may be needed, and are not given here.
					if (others.some((missing) => said.startsWith(missing))) return;
					expect(said).toContain(`--${flag} `);
					expect(said).toContain(quote(value.slice(0, 40)).slice(1, -1));
					expect(said).not.toMatch(/[\n\r\u2028\u2029]/);
					expect(said.length).toBeLessThan(400);
				}),
				{ numRuns: 80 },
			);
		},
	);
});

describe("a command line of any words at all", () => {
	it.each(Object.entries(commands))(
		"of %s is taken, or refused in one line",
		(_command, flags) => {
			const word = fc.oneof(
				anyText,
				anyText.map((text) => `--${text}`),
				fc.constantFrom(...Object.keys(flags)).map((name) => `--${name}`),
				fc.constantFrom(...Object.keys(flags)).map((name) => `--no-${name}`),
			);
			fc.assert(
				fc.property(fc.array(word, { maxLength: 4 }), (args) => {
					const said = complaint(flags, args);
					if (said === undefined) return;
					expect(said).not.toMatch(/[\n\r\u2028\u2029]/);
					expect(said.length).toBeLessThan(400);
				}),
				{ numRuns: 100 },
			);
		},
	);
});
