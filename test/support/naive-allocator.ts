import type { IPFamily } from "../../operator/api/core.ts";
import type { AddressPool } from "../../operator/api/fairlead.ts";
import { parsePoolEntry } from "../../operator/model/addresses/cidr.ts";
import { formatIp } from "../../operator/model/addresses/ip.ts";
import type { AddressRequest } from "../../operator/model/addresses/request.ts";

export interface NaiveHold {
	ip: string;
	code: string;
	for?: { namespace: string; name: string };
}

interface Service {
	request: AddressRequest;
	/** By family; the pool is the one it is recorded under. */
	has: Partial<Record<IPFamily, { ip: string; pool: string }>>;
	waits: boolean;
}

/**
 * The rules of the allocator with nothing to make them fast: it tries every address of every pool against every Service,
 * and after each step every waiting Service, until nobody gets anything. For pools of a few addresses.
 */
export class NaiveAllocator {
	#pools: AddressPool[] = [];
	readonly #services = new Map<string, Service>();
	#holds: NaiveHold[] = [];
	readonly #read = new Map<string, string[]>();

	/** UIDs of waiting Services that were served. */
	setPools(pools: AddressPool[]): string[] {
		for (const { request, has } of this.#services.values())
			for (const mine of Object.values(has))
				if (request.requestedPool !== mine.pool)
					mine.pool = this.#ownerOf(mine.ip)?.metadata.name ?? mine.pool;
		this.#read.clear();
		this.#pools = [...pools].sort(
			(a, b) =>
				(a.spec.priority ?? 100) - (b.spec.priority ?? 100) ||
				(a.metadata.name < b.metadata.name ? -1 : 1),
		);
		return this.#serve();
	}

	allocate(request: AddressRequest): string[] {
		const service = this.#services.get(request.uid);
		if (service) this.#settle(service, request);
		else this.#services.set(request.uid, { request, has: {}, waits: false });
		this.#bring(this.#services.get(request.uid) as Service);
		return this.#serve();
	}

	release(uid: string): string[] {
		this.#services.delete(uid);
		return this.#serve();
	}

	hold(hold: NaiveHold): string[] {
		this.unholdOnly(hold.ip, hold.code);
		this.#holds.push(hold);
		return this.#serve();
	}

	unhold(ip: string, code: string): string[] {
		this.unholdOnly(ip, code);
		return this.#serve();
	}

	unholdOnly(ip: string, code: string): void {
		this.#holds = this.#holds.filter(
			(hold) => hold.ip !== ip || hold.code !== code,
		);
	}

	/** Addresses by UID, families in the order asked for. */
	get held(): Record<string, string[]> {
		const entries = [...this.#services.values()]
			.map(({ request, has }): [string, string[]] => [
				request.uid,
				request.families.flatMap((family) => has[family]?.ip ?? []),
			])
			.filter(([, addresses]) => addresses.length > 0);
		return Object.fromEntries(entries);
	}

	get waiting(): string[] {
		return [...this.#services.values()]
			.filter(({ waits }) => waits)
			.map(({ request }) => request.uid)
			.sort();
	}

	#serve(): string[] {
		const served = new Set<string>();
		for (let again = true; again; ) {
			again = false;
			const waiting = [...this.#services.values()]
				.filter(({ waits }) => waits)
				.sort((a, b) => (age(a.request) < age(b.request) ? -1 : 1));
			for (const service of waiting) {
				if (!this.#bring(service)) continue;
				served.add(service.request.uid);
				again = true;
				break;
			}
		}
		return [...served];
	}

	#settle(service: Service, request: AddressRequest): void {
		service.request = request;
		for (const family of ["IPv4", "IPv6"] as const) {
			const ip = service.has[family]?.ip;
			if (
				!request.families.includes(family) ||
				(ip &&
					this.#others(request, ip).some((other) => !share(request, other)))
			)
				delete service.has[family];
		}
	}

	/** True if it got something. */
	#bring(service: Service): boolean {
		const { request, has } = service;
		const found: Service["has"] = {};
		let lacks = 0;
		service.waits = false;
		for (const family of request.families) {
			const mine = has[family];
			const asked = askedFor(request, family);
			const owner = mine && this.#ownerOf(mine.ip)?.metadata.name;
			const content = asked
				? mine?.ip === asked
				: mine && [undefined, mine.pool, owner].includes(request.requestedPool);
			if (content) continue;
			const ip = this.#find(request, family);
			if (ip)
				found[family] = {
					ip,
					pool: this.#ownerOf(ip)?.metadata.name as string,
				};
			else {
				service.waits = true;
				if (!mine) lacks++;
			}
		}
		if (
			lacks > 0 &&
			request.policy !== "PreferDualStack" &&
			Object.keys(has).length === 0
		)
			return false;
		Object.assign(has, found);
		return Object.keys(found).length > 0;
	}

	#find(request: AddressRequest, family: IPFamily): string | undefined {
		const all = this.#pools.flatMap((pool) =>
			this.#addresses(pool, family)
				.filter((ip) => this.#ownerOf(ip) === pool)
				.map((ip) => ({ ip, pool })),
		);
		const fits = all.filter(
			({ ip, pool }) =>
				[undefined, pool.metadata.name].includes(request.requestedPool) &&
				admits(pool, request) &&
				this.#others(request, ip).every((other) => share(request, other)) &&
				this.#holds.every((hold) => hold.ip !== ip || isFor(hold, request)),
		);
		const asked = askedFor(request, family);
		if (asked) return fits.find(({ ip }) => ip === asked)?.ip;
		const kept = fits.find(({ ip }) =>
			this.#holds.some((hold) => hold.ip === ip && isFor(hold, request)),
		);
		if (kept) return kept.ip;
		const drawn = fits.filter(
			({ pool }) => request.requestedPool || pool.spec.autoAssign !== false,
		);
		const joined = drawn.find(({ ip }) => this.#others(request, ip).length > 0);
		return (joined ?? drawn.find(({ ip }) => !this.#isKept(ip)))?.ip;
	}

	#isKept(ip: string): boolean {
		return this.#holds.some((hold) => hold.ip === ip);
	}

	#others(request: AddressRequest, ip: string): AddressRequest[] {
		return [...this.#services.values()]
			.filter(
				(service) =>
					service.request.uid !== request.uid &&
					Object.values(service.has).some((each) => each.ip === ip),
			)
			.map((service) => service.request);
	}

	#ownerOf(ip: string): AddressPool | undefined {
		return this.#pools.find((pool) =>
			this.#addresses(pool, ip.includes(":") ? "IPv6" : "IPv4").includes(ip),
		);
	}

	#addresses(pool: AddressPool, family: IPFamily): string[] {
		const key = `${pool.metadata.name} ${family}`;
		const known = this.#read.get(key);
		if (known) return known;
		const values = new Set<bigint>();
		for (const entry of pool.spec.addresses) {
			const range = parsePoolEntry(entry);
			if (!range.ok || range.value.family !== family) continue;
			for (
				let { start: value } = range.value;
				value <= range.value.end;
				value++
			)
				values.add(value);
		}
		const addresses = [...values]
			.sort((a, b) => (a < b ? -1 : 1))
			.map((value) => formatIp({ family, value }));
		this.#read.set(key, addresses);
		return addresses;
	}
}

function age({ createdAt, uid }: AddressRequest): string {
	return `${createdAt} ${uid}`;
}

function askedFor(
	{ requestedAddresses }: AddressRequest,
	family: IPFamily,
): string | undefined {
	const asked = requestedAddresses.find((each) => each.family === family);
	return asked && formatIp(asked);
}

function isFor(hold: NaiveHold, { namespace, name }: AddressRequest): boolean {
	return hold.for?.namespace === namespace && hold.for.name === name;
}

function admits({ spec }: AddressPool, request: AddressRequest): boolean {
	const labels = spec.namespaceSelector?.matchLabels ?? {};
	return Object.entries(labels).every(
		([key, value]) => request.namespaceLabels[key] === value,
	);
}

function share(a: AddressRequest, b: AddressRequest): boolean {
	const pods = ({ namespace, selector }: AddressRequest) =>
		[namespace, ...Object.entries(selector).map(String).sort(byText)].join();
	return (
		a.sharingKey !== undefined &&
		a.sharingKey === b.sharingKey &&
		!a.ports.some((port) => b.ports.includes(port)) &&
		a.externalTrafficPolicy === b.externalTrafficPolicy &&
		(a.externalTrafficPolicy === "Cluster" ||
			(Object.keys(a.selector).length > 0 && pods(a) === pods(b)))
	);
}

function byText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
