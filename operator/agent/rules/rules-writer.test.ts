import fc from "fast-check";
import { FakeBackend } from "../../../test/support/fake-backend.ts";
import {
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { compile } from "../../model/rules/compile.ts";
import type { Program } from "../../model/rules/program.ts";
import { diff } from "../../model/rules/program-change.ts";
import { RulesWriter } from "./rules-writer.ts";

/** Service `sN` has one endpoint with port 1000 + its generation. */
function programOf(generations: readonly number[]): Program {
	const each = generations.flatMap((generation, n) =>
		generation === 0 ? [] : [{ name: `s${n}`, n, generation }],
	);
	return compile({
		services: each.map(({ name, n }) =>
			serviceOf({ clusterIPs: [`10.96.0.${n + 1}`] }, { name }),
		),
		slices: each.map(({ name, generation }) =>
			sliceOf(["10.244.1.2@node-1"], {
				service: name,
				name: `${name}-1`,
				ports: [{ name: "http", port: 1000 + generation }],
			}),
		),
		node: node1,
	}).program;
}

const portOf = (program: Program, n: number) =>
	program.frontends.get(`10.96.0.${n + 1}|TCP|80`)?.endpoints[0]?.port;

test("whatever the kernel refuses, every other Service is as wanted, and what is refused is as it was", () => {
	const generations = fc.array(fc.integer({ min: 0, max: 3 }), {
		minLength: 6,
		maxLength: 6,
	});
	fc.assert(
		fc.property(
			fc.array(generations, { minLength: 1, maxLength: 5 }),
			fc.integer({ min: 0, max: 5 }),
			(history, bad) => {
				const backend = new FakeBackend();
				const writer = new RulesWriter(backend);
				backend.refuses = (program) =>
					portOf(program, bad) === 1003 ? "EINVAL" : undefined;
				let before = programOf([]);
				for (const wanted of history.map(programOf)) {
					const was = portOf(backend.program, bad);
					const change = diff(before, wanted);
					before = wanted;
					try {
						writer.write(change, wanted);
					} catch {
						writer.replace(wanted);
					}
					expect(backend.program).toEqual(writer.inForce);
					for (let n = 0; n < 6; n++) {
						const refused = n === bad && portOf(wanted, n) === 1003;
						expect(portOf(backend.program, n)).toBe(
							refused ? was : portOf(wanted, n),
						);
						expect(writer.refused.has(`default/s${n}`)).toBe(refused);
					}
				}
			},
		),
		{ numRuns: 300 },
	);
});

test("a backend that takes nothing is no Service's fault", () => {
	const backend = new FakeBackend();
	const writer = new RulesWriter(backend);
	writer.replace(programOf([1, 1]));
	backend.refuses = () => "EPERM";
	expect(() => writer.replace(programOf([2, 2]))).toThrow("EPERM");
	expect(writer.refused.size).toBe(0);
	expect(portOf(backend.program, 0)).toBe(1001);
});

test("a kernel that takes an empty program and none of many Services is not asked about each for ever", () => {
	const backend = new FakeBackend();
	const writer = new RulesWriter(backend);
	let asked = 0;
	backend.refuses = (program) => {
		asked++;
		return program.frontends.size > 0 ? "ENOMEM" : undefined;
	};
	const many = Array.from({ length: 200 }, () => 1);
	expect(() => writer.replace(programOf(many))).toThrow("ENOMEM");
	expect(writer.refused.size).toBe(0);
	expect(asked).toBeLessThan(150);
});

describe("where another proxy's rules lie beneath", () => {
	/** Remembers each program that was said to be true, as ports by Service. */
	function guarded() {
		const backend = new FakeBackend();
		const vouched: (number | undefined)[][] = [];
		const vouch = () =>
			vouched.push([0, 1, 2, 3, 4, 5].map((n) => portOf(backend.program, n)));
		const replace = backend.replace.bind(backend);
		Object.assign(backend, {
			keepAlive: vouch,
			replace(program: Program, stale?: "stale") {
				replace(program, stale);
				if (!stale) vouch();
			},
		});
		return { backend, vouched, writer: new RulesWriter(backend) };
	}

	test("whatever the kernel refuses, it is left to that proxy, every other Service is as wanted, and no old rule is said to be true", () => {
		const generations = fc.array(fc.integer({ min: 0, max: 3 }), {
			minLength: 6,
			maxLength: 6,
		});
		fc.assert(
			fc.property(
				fc.array(generations, { minLength: 1, maxLength: 5 }),
				fc.integer({ min: 0, max: 5 }),
				(history, bad) => {
					const { backend, vouched, writer } = guarded();
					backend.refuses = (program) =>
						portOf(program, bad) === 1003 ? "EINVAL" : undefined;
					let before = programOf([]);
					for (const wanted of history.map(programOf)) {
						const change = diff(before, wanted);
						before = wanted;
						vouched.length = 0;
						try {
							writer.write(change, wanted);
						} catch {
							writer.replace(wanted);
						}
						const ports = [0, 1, 2, 3, 4, 5].map((n) => {
							const port = portOf(wanted, n);
							return n === bad && port === 1003 ? undefined : port;
						});
						for (const each of vouched) expect(each).toEqual(ports);
						expect(backend.program).toEqual(writer.inForce);
						for (let n = 0; n < 6; n++)
							expect(portOf(backend.program, n)).toBe(ports[n]);
					}
				},
			),
			{ numRuns: 300 },
		);
	});

	test("rules of which the kernel takes nothing new are never said to be true again", () => {
		const { backend, vouched, writer } = guarded();
		const ones = Array.from({ length: 40 }, () => 1);
		writer.replace(programOf(ones));
		vouched.length = 0;
		backend.refuses = (program) =>
			ones.some((_, n) => portOf(program, n) === 1002) ? "ENOMEM" : undefined;
		const twos = ones.map(() => 2);
		for (let attempt = 0; attempt < 3; attempt++)
			expect(() => writer.replace(programOf(twos))).toThrow("ENOMEM");
		expect(vouched).toEqual([]);
	});
});
