import { numberAt, stringAt } from "../access.ts";
import { internal } from "../api-error.ts";
import { type FieldError, invalid, invalidObject } from "../field-error.ts";
import type { JsonObject } from "../schema/decode.ts";
import type { Transaction } from "../strategy.ts";
import { clusterIPErrors } from "./cluster-ip-fields.ts";
import { type Cidr, type Family, familyOf, formatIp, parseIp } from "./ip.ts";
import { NumberPool, type Refusal, staticBand } from "./number-pool.ts";
import { Takings } from "./takings.ts";
import {
	allocatesNodePorts,
	clusterIPsOf,
	familiesOf,
	hasNodePorts,
	needsHealthCheckPort,
	portsOf,
	sameList,
	specOf,
	typeOf,
} from "./view.ts";

const subject = { group: "", plural: "services", kind: "Service" };

export interface AllocatorOptions {
	/** One per family; the first is the default. */
	serviceCidrs: Cidr[];
	nodePorts: { first: number; last: number };
	random: (bytes: number) => Uint8Array;
}

/** ClusterIPs and NodePorts of every Service, as pkg/registry/core/service/storage/alloc.go gives them out. */
export class ServiceAllocators {
	readonly #ips = new Map<Family, { pool: NumberPool; cidr: Cidr }>();
	readonly #ports: NumberPool;
	readonly #range: string;
	readonly #defaultFamily: Family;

	constructor({ serviceCidrs, nodePorts, random }: AllocatorOptions) {
		for (const cidr of serviceCidrs) {
			// Neither the network's own address nor, in IPv4, its broadcast address.
			const size = cidr.size - (cidr.family === "IPv4" ? 2n : 1n);
			const band = staticBand(size, { min: 16n, max: 256n, step: 16n });
			const pool = new NumberPool(cidr.base + 1n, size, band, random);
			this.#ips.set(cidr.family, { pool, cidr });
		}
		const { first, last } = nodePorts;
		const size = BigInt(last - first + 1);
		this.#range = `${first}-${last}`;
		this.#ports = new NumberPool(
			BigInt(first),
			size,
			staticBand(size, { min: 16n, max: 128n, step: 32n }),
			random,
		);
		this.#defaultFamily = serviceCidrs[0]?.family ?? "IPv4";
	}

	/** Gives a Service what its type needs and it does not have. Throws an ApiError and takes nothing. */
	allocate(
		service: JsonObject,
		old: JsonObject | undefined,
		dryRun: boolean,
	): Transaction {
		const take = new Takings(dryRun);
		try {
			if (!keepsDualStack(service, old)) {
				this.#families(service, old);
				this.#clusterIPs(service, old, take);
			}
			this.#nodePorts(service, old, take);
			this.#healthCheckPort(service, old, take);
		} catch (error) {
			take.revert();
			throw error;
		}
		return take;
	}

	/** Takes what a Service already has that was stored before this process began. */
	hold(service: JsonObject): void {
		for (const ip of clusterIPsOf(service))
			this.#poolOf(ip)?.take(parseIp(ip) ?? 0n);
		for (const port of this.#portsHeld(service)) this.#ports.take(port);
	}

	/** Gives back everything of a Service that is gone. */
	release(service: JsonObject): void {
		for (const ip of clusterIPsOf(service))
			this.#poolOf(ip)?.release(parseIp(ip) ?? 0n);
		for (const port of this.#portsHeld(service)) this.#ports.release(port);
	}

	#poolOf(ip: string): NumberPool | undefined {
		const family = familyOf(ip);
		return family && this.#ips.get(family)?.pool;
	}

	#portsHeld(service: JsonObject): bigint[] {
		return [
			...portsOf(service).map((port) => numberAt(port, "nodePort")),
			numberAt(specOf(service), "healthCheckNodePort"),
		]
			.filter((port) => port > 0)
			.map(BigInt);
	}

	/** ipFamilyPolicy and ipFamilies (initIPFamilyFields). */
	#families(service: JsonObject, old: JsonObject | undefined): void {
		if (typeOf(service) === "ExternalName") return;
		const spec = specOf(service);
		const selectorless =
			Object.keys((spec["selector"] as object) ?? {}).length === 0;
		const bare = spec["clusterIP"] === "None" && selectorless;
		spec["ipFamilyPolicy"] ??=
			(old && specOf(old)["ipFamilyPolicy"]) ??
			(bare ? "RequireDualStack" : "SingleStack");
		const policy = spec["ipFamilyPolicy"];
		fail(service, clusterIPErrors(service, old));
		const errors: FieldError[] = [];
		const at = "spec.ipFamilyPolicy";
		if (old && policy === "SingleStack") {
			const ips = clusterIPsOf(service);
			const families = familiesOf(service);
			if (sameList(ips, clusterIPsOf(old)) && ips.length > 1)
				spec["clusterIPs"] = ips.slice(0, 1);
			if (sameList(families, familiesOf(old)) && families.length > 1)
				spec["ipFamilies"] = families.slice(0, 1);
		} else if (old) {
			const reduced = (now: string[], before: string[]) =>
				now.length > 0 && now.length < before.length;
			if (reduced(clusterIPsOf(service), clusterIPsOf(old)))
				errors.push(
					invalid(
						at,
						policy,
						"must be 'SingleStack' to release the secondary cluster IP",
					),
				);
			if (reduced(familiesOf(service), familiesOf(old)))
				errors.push(
					invalid(
						at,
						policy,
						"must be 'SingleStack' to release the secondary IP family",
					),
				);
		}
		if (policy === "SingleStack")
			for (const [list, what] of [
				[clusterIPsOf(service), "cluster IPs"],
				[familiesOf(service), "IP families"],
			] as const)
				if (list.length === 2)
					errors.push(
						invalid(
							at,
							policy,
							`must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
						),
					);
		const families = familiesOf(service);
		for (const [index, ip] of clusterIPsOf(service).entries()) {
			if (ip === "None") break;
			const family = familyOf(ip);
			if (index < families.length || !family) continue;
			if (this.#ips.has(family)) families.push(family);
			else
				errors.push(
					invalid(
						`spec.clusterIPs[${index}]`,
						clusterIPsOf(service),
						`${family} is not configured on this cluster`,
					),
				);
		}
		fail(service, errors);
		const other = (family: string | undefined) =>
			family === "IPv4" ? "IPv6" : "IPv4";
		if (bare) {
			if (families.length === 0) families.push(this.#defaultFamily);
			if (families.length < 2 && policy !== "SingleStack")
				families.push(other(families[0]));
			spec["ipFamilies"] = families;
			return;
		}
		if (policy === "RequireDualStack" && this.#ips.size < 2)
			errors.push(
				invalid(
					at,
					policy,
					"this cluster is not configured for dual-stack services",
				),
			);
		for (const [index, family] of families.entries())
			if (!this.#ips.has(family as Family))
				errors.push(
					invalid(
						`spec.ipFamilies[${index}]`,
						family,
						"not configured on this cluster",
					),
				);
		fail(service, errors);
		if (families.length === 0) families.push(this.#defaultFamily);
		if (
			policy !== "SingleStack" &&
			families.length === 1 &&
			this.#ips.size === 2
		)
			families.push(other(families[0]));
		spec["ipFamilies"] = families;
	}

	#clusterIPs(
		service: JsonObject,
		old: JsonObject | undefined,
		take: Takings,
	): void {
		const leaves = typeOf(service) === "ExternalName";
		if (leaves) {
			if (old && typeOf(old) !== "ExternalName")
				for (const ip of clusterIPsOf(old)) this.#give(ip, take);
			return;
		}
		if (clusterIPsOf(service)[0] === "None") return;
		const before =
			old && typeOf(old) !== "ExternalName" ? clusterIPsOf(old) : [];
		if (before[0] === "None") return;
		const spec = specOf(service);
		const ips = clusterIPsOf(service);
		for (const [index, family] of familiesOf(service).entries()) {
			// A primary address that changed is refused by validation, which comes later.
			if (before[index] !== undefined) continue;
			ips[index] = this.#takeIp(
				service,
				family as Family,
				ips[index] ?? "",
				take,
			);
		}
		for (const ip of before.slice(familiesOf(service).length))
			this.#give(ip, take);
		spec["clusterIPs"] = ips;
		if (before.length === 0) spec["clusterIP"] = ips[0] ?? "";
	}

	#takeIp(
		service: JsonObject,
		family: Family,
		wanted: string,
		take: Takings,
	): string {
		const found = this.#ips.get(family);
		if (!found) throw internal(`no allocator for ${family}`);
		const { pool, cidr } = found;
		if (wanted) {
			const refused = take.one(pool, parseIp(wanted) ?? 0n);
			if (!refused) return wanted;
			const why =
				refused === "allocated"
					? "provided IP is already allocated"
					: "the provided network does not match the current range";
			throw invalidObject(subject, nameOf(service), [
				invalid(
					"spec.clusterIPs",
					clusterIPsOf(service),
					`failed to allocate IP ${wanted}: ${why}`,
				),
			]);
		}
		// A dry run shows the base of the range, as the real server does.
		if (take.dryRun) return formatIp(cidr.base, family);
		const ip = take.any(pool);
		if (ip === undefined)
			throw internal(
				`failed to allocate a serviceIP for Service ${JSON.stringify(nameOf(service))}: range is full`,
			);
		return formatIp(ip, family);
	}

	#give(ip: string, take: Takings): void {
		const pool = this.#poolOf(ip);
		if (pool) take.releaseLater(pool, parseIp(ip) ?? 0n);
	}

	#nodePorts(
		service: JsonObject,
		old: JsonObject | undefined,
		take: Takings,
	): void {
		const held = new Set(
			old && hasNodePorts(old)
				? portsOf(old).map((port) => numberAt(port, "nodePort"))
				: [],
		);
		held.delete(0);
		const kept = new Set<number>();
		if (hasNodePorts(service)) {
			// One NodePort serves TCP and UDP of one port, if nothing else is asked for.
			const byPort = new Map<number, number>();
			const ports = portsOf(service);
			for (const [index, port] of ports.entries()) {
				const number = numberAt(port, "port");
				let nodePort = numberAt(port, "nodePort");
				if (!nodePort && !allocatesNodePorts(service)) continue;
				if (!nodePort && !old)
					nodePort =
						byPort.get(number) ??
						numberAt(
							ports.find(
								(one) =>
									numberAt(one, "port") === number && numberAt(one, "nodePort"),
							),
							"nodePort",
						);
				if (nodePort && !held.has(nodePort) && !kept.has(nodePort)) {
					const refused = take.one(this.#ports, BigInt(nodePort));
					if (refused)
						throw invalidObject(subject, nameOf(service), [
							invalid(
								`spec.ports[${index}].nodePort`,
								nodePort,
								this.#refusal(refused),
							),
						]);
				} else if (!nodePort) {
					const any = take.any(this.#ports);
					if (any === undefined)
						throw internal("failed to allocate a nodePort: range is full");
					nodePort = Number(any);
				}
				port["nodePort"] = nodePort;
				byPort.set(number, nodePort);
				kept.add(nodePort);
			}
		}
		for (const port of held)
			if (!kept.has(port)) take.releaseLater(this.#ports, BigInt(port));
	}

	#healthCheckPort(
		service: JsonObject,
		old: JsonObject | undefined,
		take: Takings,
	): void {
		const had = old !== undefined && needsHealthCheckPort(old);
		const needs = needsHealthCheckPort(service);
		const spec = specOf(service);
		if (needs && !had) {
			const wanted = numberAt(spec, "healthCheckNodePort");
			if (wanted) {
				const refused = take.one(this.#ports, BigInt(wanted));
				if (refused)
					throw internal(
						`failed to allocate requested HealthCheck NodePort ${wanted}: ${this.#refusal(refused)}`,
					);
			} else {
				const any = take.any(this.#ports);
				if (any === undefined)
					throw internal(
						"failed to allocate a HealthCheck NodePort 0: range is full",
					);
				spec["healthCheckNodePort"] = Number(any);
			}
		} else if (had && !needs && old) {
			const before = numberAt(specOf(old), "healthCheckNodePort");
			take.releaseLater(this.#ports, BigInt(before));
		}
	}

	#refusal(refused: Refusal): string {
		return refused === "allocated"
			? "provided port is already allocated"
			: `provided port is not in the valid range. The range of valid ports is ${this.#range}`;
	}
}

const nameOf = (service: JsonObject) => stringAt(service, "metadata", "name");

function fail(service: JsonObject, errors: FieldError[]): void {
	if (errors.length > 0) throw invalidObject(subject, nameOf(service), errors);
}

/** PreferDualStack Services are not up- or downgraded by the way (isMatchingPreferDualStackClusterIPFields). */
function keepsDualStack(
	service: JsonObject,
	old: JsonObject | undefined,
): boolean {
	return (
		old !== undefined &&
		typeOf(old) === typeOf(service) &&
		typeOf(service) !== "ExternalName" &&
		specOf(service)["ipFamilyPolicy"] === "PreferDualStack" &&
		specOf(old)["ipFamilyPolicy"] === "PreferDualStack" &&
		sameList(clusterIPsOf(service), clusterIPsOf(old)) &&
		sameList(familiesOf(service), familiesOf(old))
	);
}
