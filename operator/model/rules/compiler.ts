import type { EndpointSlice, Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import { arrange } from "./arrange.ts";
import { type Claim, claimsOf, compareClaims, lostSentence } from "./claims.ts";
import { serviceOfSlice } from "./compile.ts";
import {
	type CompiledService,
	compileService,
	type HealthCheck,
} from "./compile-service.ts";
import {
	type Frontend,
	frontendKey,
	type HeldAddress,
	type Program,
	type ProgramChange,
} from "./program.ts";
import {
	sameFrontend,
	sameHeld,
	sameSettings,
	settingsOf,
} from "./program-change.ts";
import { type RulesNode, sameForServices } from "./rules-node.ts";
import { type ExternalIPJudge, hasExternalIPs } from "./service-addresses.ts";

/**
 * Keeps one node's program true to Services and EndpointSlices: takes changes as they come and compiles, when asked, only
 * the Services they touch. Objects given to it are kept, not copied: they may be shared by many compilers, and nobody may
 * change them.
 */
export class RulesCompiler {
	#node: RulesNode;
	#judge: ExternalIPJudge | undefined;
	readonly #services = new Map<string, Service>();
	/** By Service, then by slice. */
	readonly #slices = new Map<string, Map<string, EndpointSlice>>();
	readonly #serviceOfSlice = new Map<string, string>();
	readonly #compiled = new Map<string, CompiledService>();
	/** Who wants each address and port, first come first. */
	readonly #claims = new Map<string, Claim[]>();
	/** Which Services hold each address, and whether it answers echo requests for them. */
	readonly #holders = new Map<string, Map<string, boolean>>();
	readonly #healthChecks = new Map<string, HealthCheck>();
	readonly #failed = new Map<string, string>();
	readonly #touched = new Set<string>();
	/** Services with external IPs. */
	readonly #external = new Set<string>();
	readonly #frontends = new Map<string, Frontend>();
	readonly #held = new Map<string, HeldAddress>();
	#settings: Pick<Program, "podCidrs" | "masqueradeAll">;

	constructor(node: RulesNode) {
		this.#node = node;
		this.#settings = { podCidrs: [], masqueradeAll: false };
	}

	/** As of the last `take`; it changes with the next one. */
	get program(): Program {
		return {
			frontends: this.#frontends,
			held: this.#held,
			...this.#settings,
		};
	}

	/** Services that changed since the last `take`. */
	get pending(): number {
		return this.#touched.size;
	}

	setService(service: Service): void {
		const key = objectKey(service);
		this.#services.set(key, service);
		this.#touched.add(key);
		if (hasExternalIPs(service)) this.#external.add(key);
		else this.#external.delete(key);
	}

	removeService(key: string): void {
		if (this.#services.delete(key)) this.#touched.add(key);
		this.#external.delete(key);
	}

	setSlice(slice: EndpointSlice): void {
		const sliceKey = objectKey(slice);
		const service = serviceOfSlice(slice);
		if (this.#serviceOfSlice.get(sliceKey) !== service)
			this.removeSlice(sliceKey);
		if (service === undefined) return;
		const known = this.#slices.get(service);
		if (known) known.set(sliceKey, slice);
		else this.#slices.set(service, new Map([[sliceKey, slice]]));
		this.#serviceOfSlice.set(sliceKey, service);
		this.#touched.add(service);
	}

	removeSlice(sliceKey: string): void {
		const service = this.#serviceOfSlice.get(sliceKey);
		if (service === undefined) return;
		this.#serviceOfSlice.delete(sliceKey);
		const known = this.#slices.get(service);
		known?.delete(sliceKey);
		if (known?.size === 0) this.#slices.delete(service);
		this.#touched.add(service);
	}

	/** Costs a compilation of every Service if its name, zone or NodePort addresses changed. */
	setNode(node: RulesNode): void {
		const touchesAll = !sameForServices(this.#node, node);
		this.#node = node;
		if (!touchesAll) return;
		for (const key of this.#services.keys()) this.#touched.add(key);
	}

	/** Who may have which external IP; undefined: everybody any. Costs a compilation of the Services that have some. */
	setJudge(judge: ExternalIPJudge | undefined): void {
		this.#judge = judge;
		for (const key of this.#external) this.#touched.add(key);
	}

	/** The labels of a namespace changed, and with them what its Services are granted. */
	touchNamespace(name: string): void {
		if (!this.#judge) return;
		for (const key of this.#external)
			if (key.startsWith(`${name}/`)) this.#touched.add(key);
	}

	/**
	 * Compiles what was touched and tells what changed in the program since the last time. A Service that cannot be compiled
	 * keeps what it had, and is named in `problems`.
	 */
	take(): ProgramChange {
		const keys = new Set<string>();
		const addresses = new Set<string>();
		for (const key of this.#touched) {
			let compiled: CompiledService | undefined;
			try {
				compiled = this.#compile(key);
				this.#failed.delete(key);
			} catch (error) {
				this.#failed.set(
					key,
					`it cannot be compiled: ${(error as Error).message}; what it had stays`,
				);
				continue;
			}
			this.#replace(key, compiled, keys, addresses);
		}
		this.#touched.clear();
		const change: ProgramChange = { frontends: [], held: [] };
		for (const key of keys) this.#settle(key, change);
		for (const address of addresses) this.#settleHeld(address, change);
		if (!sameSettings(this.#settings, this.#node)) {
			this.#settings = settingsOf(this.#node);
			change.settings = this.#settings;
		}
		return change;
	}

	/** Why a Service, or part of it, is not served on this node; one sentence each. */
	problems(serviceKey: string): string[] {
		const failed = this.#failed.get(serviceKey);
		const compiled = this.#compiled.get(serviceKey);
		if (!compiled) return failed === undefined ? [] : [failed];
		const lost = claimsOf(compiled).flatMap((claim) => {
			const winner = this.#claims.get(frontendKey(claim.frontend))?.[0];
			const lost = winner && winner.frontend.service !== serviceKey;
			return lost && claim.carried ? [lostSentence(claim, winner)] : [];
		});
		return [
			...(failed === undefined ? [] : [failed]),
			...compiled.problems,
			...lost,
		];
	}

	/** `namespace/name` of every Service known, whether it is served or not. */
	services(): IterableIterator<string> {
		return this.#services.keys();
	}

	/** What this node answers at healthCheckNodePorts, by `namespace/name`; it changes with the next `take`. */
	get healthChecks(): ReadonlyMap<string, HealthCheck> {
		return this.#healthChecks;
	}

	#compile(key: string): CompiledService | undefined {
		const service = this.#services.get(key);
		if (!service) return undefined;
		const slices = this.#slices.get(key)?.values() ?? [];
		return compileService(service, slices, this.#node, this.#judge);
	}

	#replace(
		key: string,
		compiled: CompiledService | undefined,
		keys: Set<string>,
		addresses: Set<string>,
	): void {
		const before = this.#compiled.get(key);
		if (compiled) this.#compiled.set(key, compiled);
		else this.#compiled.delete(key);
		if (compiled?.healthCheck)
			this.#healthChecks.set(key, compiled.healthCheck);
		else this.#healthChecks.delete(key);
		for (const frontend of before?.frontends ?? []) {
			const wanted = frontendKey(frontend);
			this.#withdraw(wanted, key);
			keys.add(wanted);
		}
		for (const claim of compiled ? claimsOf(compiled) : []) {
			const wanted = frontendKey(claim.frontend);
			const claims = this.#claims.get(wanted);
			if (claims) {
				claims.push(claim);
				claims.sort(compareClaims);
			} else this.#claims.set(wanted, [claim]);
			keys.add(wanted);
		}
		for (const { address } of before?.held ?? []) {
			const holders = this.#holders.get(address);
			holders?.delete(key);
			if (holders?.size === 0) this.#holders.delete(address);
			addresses.add(address);
		}
		for (const { address, echo } of compiled?.held ?? []) {
			const holders = this.#holders.get(address) ?? new Map<string, boolean>();
			this.#holders.set(address, holders);
			holders.set(key, echo || holders.get(key) === true);
			addresses.add(address);
		}
	}

	#withdraw(wanted: string, serviceKey: string): void {
		const claims = this.#claims.get(wanted);
		const rest = claims?.filter(
			({ frontend }) => frontend.service !== serviceKey,
		);
		if (rest?.length) this.#claims.set(wanted, rest);
		else this.#claims.delete(wanted);
	}

	/** Gives an address and port to whoever comes first now; endpoints that stay keep their slots. */
	#settle(key: string, change: ProgramChange): void {
		const before = this.#frontends.get(key);
		const first = this.#claims.get(key)?.[0];
		const winner = first?.carried ? first.frontend : undefined;
		if (!winner) {
			if (!before) return;
			this.#frontends.delete(key);
			change.frontends.push({ before });
			return;
		}
		const after = before ? inSlots(before, winner) : winner;
		if (before && sameFrontend(before, after)) return;
		this.#frontends.set(key, after);
		change.frontends.push({ ...(before ? { before } : {}), after });
	}

	#settleHeld(address: string, change: ProgramChange): void {
		const before = this.#held.get(address);
		const holders = this.#holders.get(address);
		if (!holders) {
			if (!before) return;
			this.#held.delete(address);
			change.held.push({ before });
			return;
		}
		const after = { address, echo: [...holders.values()].includes(true) };
		if (before && sameHeld(before, after)) return;
		this.#held.set(address, after);
		change.held.push({ ...(before ? { before } : {}), after });
	}
}

function inSlots(before: Frontend, wanted: Frontend): Frontend {
	const endpoints = arrange(before.endpoints, wanted.endpoints);
	if (!wanted.internalEndpoints) return { ...wanted, endpoints };
	// While there was no list of its own, the slots of `endpoints` served for both.
	const slots = before.internalEndpoints ?? before.endpoints;
	const internalEndpoints = arrange(slots, wanted.internalEndpoints);
	return { ...wanted, endpoints, internalEndpoints };
}
