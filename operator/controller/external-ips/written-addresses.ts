import type { Service } from "../../api/core.ts";
import type { Hold } from "../../model/addresses/address-book.ts";
import { type IpAddress, parseIp } from "../../model/addresses/ip.ts";
import { externalIPRecordOf } from "../../model/external-ips/record.ts";
import { canonical } from "../../model/external-ips/roles.ts";

const code = "ExternalIP";

export interface WrittenAddressesOptions {
	hold: (address: IpAddress, hold: Hold) => void;
	unhold: (address: IpAddress, code: string) => void;
}

/**
 * Keeps addresses of pools that somebody wrote into spec.externalIPs himself from being given to anybody: the allocator knows
 * only what it gave out. Not to that Service either: what is ours leaves its spec again, what is its own never does.
 */
export class WrittenAddresses {
	readonly #options: WrittenAddressesOptions;
	readonly #byService = new Map<string, readonly string[]>();
	readonly #services = new Map<string, Set<string>>();

	constructor(options: WrittenAddressesOptions) {
		this.#options = options;
	}

	/** Takes a Service as it is now: undefined if it is gone, or if nothing says what is granted to it. */
	take(
		key: string,
		service: Service | undefined,
		isGranted: (ip: string) => boolean,
	): void {
		const ours = service ? externalIPRecordOf(service)?.addresses : undefined;
		const addresses = canonical(service?.spec.externalIPs ?? []).filter(
			(ip) => !ours?.includes(ip) && isGranted(ip),
		);
		const before = this.#byService.get(key) ?? [];
		if (before.join() === addresses.join()) return;
		if (addresses.length > 0) this.#byService.set(key, addresses);
		else this.#byService.delete(key);
		for (const ip of before) {
			const services = this.#services.get(ip);
			services?.delete(key);
			if (services?.size === 0) this.#services.delete(ip);
		}
		for (const ip of addresses) {
			const services = this.#services.get(ip);
			if (services) services.add(key);
			else this.#services.set(ip, new Set([key]));
		}
		for (const ip of new Set([...before, ...addresses])) this.#settle(ip);
	}

	#settle(ip: string): void {
		const address = parseIp(ip);
		if (!address.ok) return;
		const services = [...(this.#services.get(ip) ?? [])].sort();
		if (services.length === 0) return this.#options.unhold(address.value, code);
		this.#options.hold(address.value, {
			code,
			message: `stands in spec.externalIPs of ${services.join(", ")}`,
		});
	}
}
