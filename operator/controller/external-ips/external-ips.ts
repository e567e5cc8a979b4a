import type { Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import type { Clock } from "../../clock.ts";
import { type KubeClient, type Patch, resources } from "../../cluster/kube.ts";
import { Workqueue } from "../../cluster/workqueue.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { parseIp } from "../../model/addresses/ip.ts";
import {
	type AddressUser,
	assess,
	type Finding,
} from "../../model/external-ips/assessment.ts";
import {
	type Grant,
	type Grants,
	grantOf,
} from "../../model/external-ips/grants.ts";
import {
	type ExternalIPWorld,
	lackOf,
	nextExternalIPStep,
} from "../../model/external-ips/next-step.ts";
import { externalIPRecordOf } from "../../model/external-ips/record.ts";
import { wantedExternalIPs } from "../../model/external-ips/request.ts";
import {
	canonical,
	concernsExternalIPs,
} from "../../model/external-ips/roles.ts";
import type { Announcement } from "../../model/next-step.ts";
import type { Addresses } from "../addresses.ts";
import type { Caches } from "../caches.ts";
import { servicePatch } from "../service-patch.ts";
import type { KeyLock } from "../key-lock.ts";
import type { Repairs } from "../repairs.ts";
import { AddressUsers, fill } from "./address-users.ts";
import { PolicySync } from "./policy-sync.ts";
import { Refusals } from "./refusals.ts";
import { WrittenAddresses } from "./written-addresses.ts";

export interface ExternalIPsOptions {
	client: KubeClient;
	caches: Caches;
	addresses: Addresses;
	/** Whoever writes a Service holds it. */
	writing: KeyLock;
	repairs: Pick<Repairs, "paused" | "contested">;
	clock: Clock;
	random: () => number;
	log: Log;
	announce: (service: Service, event: Announcement) => void;
	/** Other pools than before are granted to nobody. */
	leftOutChanged: () => void;
}

/** A Service settles within a handful of steps; more means two writers fight, and the queue's backoff is the answer. */
const maxSteps = 8;

/**
 * The external IPs of Services, during one term: who may have them, who else has them, and those assigned by annotation.
 * Services without any cost nothing here: the index of who has which address is made when the first one turns up.
 */
export class ExternalIPs {
	readonly #options: ExternalIPsOptions;
	readonly #queue: Workqueue;
	readonly #policy: PolicySync;
	/** Keys of the Services that external IPs concern, by namespace. */
	readonly #concerned = new Map<string, Set<string>>();
	#users: AddressUsers | undefined;
	readonly #written: WrittenAddresses;
	readonly #refusals: Refusals;
	/** Key of the Services with a write that is not answered yet. */
	readonly #patching = new Set<string>();
	#undo: (() => void)[] = [];

	constructor(options: ExternalIPsOptions) {
		this.#options = options;
		const { client, caches, clock, random, log, writing } = options;
		this.#queue = new Workqueue({ clock, random, log, workers: 4 });
		this.#policy = new PolicySync({
			client,
			caches,
			clock,
			random,
			log,
			changed: () => this.#wakeAll(),
			ownChanged: () => options.addresses.ownChanged(),
			leftOutChanged: options.leftOutChanged,
		});
		this.#written = new WrittenAddresses(options.addresses);
		this.#refusals = new Refusals(clock);
		this.#queue.run((key) => writing.run(key, () => this.#sync(key)));
	}

	start(): void {
		const { caches } = this.#options;
		this.#undo = [
			caches.services.onChange(({ type, object }) => {
				const key = objectKey(object);
				const gone = type === "deleted";
				if (gone) this.#forget(key, object);
				const concerns = !gone && concernsExternalIPs(object);
				const did = this.#concern(key, concerns);
				for (const other of this.#users?.setService(
					key,
					gone ? undefined : object,
				) ?? [])
					this.#queue.add(other);
				if (concerns || did) this.#queue.add(key, "high");
			}),
			caches.nodes.onChange(({ type, object }) => {
				const node = type === "deleted" ? undefined : object;
				const { name } = object.metadata;
				for (const key of this.#users?.setNode(name, node) ?? [])
					this.#queue.add(key);
			}),
			caches.namespaces.onChange((change) => {
				const { labels, name } = change.object.metadata;
				if (
					change.type === "updated" &&
					JSON.stringify(change.old.metadata.labels) === JSON.stringify(labels)
				)
					return;
				for (const key of this.#concerned.get(name) ?? []) this.#queue.add(key);
			}),
			// Where the kind is installed or removed meanwhile, what is granted changes with it.
			caches.policies.onChange(({ type }) => {
				if (type !== "updated") this.#wakeAll();
			}),
		];
		for (const service of caches.services.values())
			if (concernsExternalIPs(service)) {
				this.#concern(objectKey(service), true);
				// Before anything is given out: the queues begin in a later turn.
				this.#keepWritten(objectKey(service));
				this.#queue.add(objectKey(service));
			}
		this.#policy.start();
	}

	/** Whether a change of this key may be the effect of an own write. */
	isPatching(key: string): boolean {
		return this.#patching.has(key);
	}

	/** Whether nobody is granted the addresses of a pool, for want of room. */
	isLeftOut(pool: string): boolean {
		return this.#policy.isLeftOut(pool);
	}

	/** An address that the Service waited for may be had now, or a pause is over. */
	wake(key: string): void {
		this.#queue.add(key, "high");
	}

	async stop(deadlineMs: number): Promise<void> {
		for (const undo of this.#undo) undo();
		await Promise.all([
			this.#queue.drain(deadlineMs),
			this.#policy.stop(deadlineMs),
		]);
	}

	#wakeAll(): void {
		for (const keys of this.#concerned.values())
			for (const key of keys) this.#queue.add(key);
	}

	/** Notes whether the Service is one of those looked after; returns whether it was. */
	#concern(key: string, concerns: boolean): boolean {
		const namespace = key.slice(0, key.indexOf("/"));
		const keys = this.#concerned.get(namespace);
		const did = keys?.has(key) ?? false;
		if (!concerns) {
			keys?.delete(key);
			if (keys?.size === 0) this.#concerned.delete(namespace);
			return did;
		}
		if (keys) keys.add(key);
		else this.#concerned.set(namespace, new Set([key]));
		if (!this.#users) {
			const { services, nodes } = this.#options.caches;
			this.#users = new AddressUsers();
			fill(this.#users, services.values());
			for (const node of nodes.values())
				this.#users.setNode(node.metadata.name, node);
		}
		return did;
	}

	#forget(key: string, service: Service): void {
		this.#written.take(key, undefined, () => false);
		this.#refusals.delete(service.metadata.uid ?? "");
		this.#options.addresses.releaseExternal(service);
	}

	/** What is granted and nobody gave out must not be given to others. */
	#keepWritten(key: string): void {
		const service = this.#options.caches.services.get(key);
		const { grants } = this.#policy;
		const granted = (ip: string) =>
			service !== undefined &&
			grants !== undefined &&
			this.#grantOf(service, ip, grants).kind === "Granted";
		this.#written.take(key, service, granted);
	}

	async #sync(key: string): Promise<{ retryAfterMs: number } | undefined> {
		this.#keepWritten(key);
		for (let step = 0; step < maxSteps; step++)
			if (!(await this.#step(key))) {
				const { services } = this.#options.caches;
				const uid = services.get(key)?.metadata.uid ?? "";
				return this.#refusals.askAgain(uid);
			}
		throw new FairleadError(
			"KubeConflict",
			`the external IPs of Service ${key} do not settle: somebody else changes it as fast as Fairlead does`,
		);
	}

	/** Does one step; false when there is nothing (more) to do now. */
	async #step(key: string): Promise<boolean> {
		const service = this.#options.caches.services.get(key);
		if (!service) return false;
		const world = this.#look(key, service);
		const step = nextExternalIPStep(world);
		// Who is let go is not in the way of anybody's manifest any more.
		const lettingGo = !world.allocation && externalIPRecordOf(service);
		if (
			step.do !== "nothing" &&
			!lettingGo &&
			this.#options.repairs.paused(key)
		)
			return false;
		switch (step.do) {
			case "nothing":
				// While the record stands, so does the claim.
				if (!world.allocation && !externalIPRecordOf(service))
					this.#options.addresses.releaseExternal(service);
				return false;
			case "patch": {
				const body = servicePatch(service, step.change);
				const written = await this.#write(key, service, "status", {
					type: "strategic-merge",
					body,
				});
				if (written && step.event) this.#options.announce(service, step.event);
				return true;
			}
			default:
				await this.#writeSpec(key, service, step.externalIPs);
				return true;
		}
	}

	#look(key: string, service: Service): ExternalIPWorld {
		const { caches, addresses, clock } = this.#options;
		const { grants } = this.#policy;
		const leaving = service.metadata.deletionTimestamp !== undefined;
		const wanted = !leaving && wantedExternalIPs(service) !== undefined;
		const given = wanted ? addresses.external(service) : undefined;
		const held = (given?.addresses ?? []).map(({ ip }) => ip);
		return {
			service,
			allocation: given && {
				addresses: given.addresses,
				...(given.ok ? {} : { lacks: lackOf(given.reasons) }),
			},
			findings: this.#findings(key, service, held, grants),
			restricted: grants !== undefined,
			specRefusal: this.#refusals.standing(service.metadata.uid ?? "", held),
			contested: this.#options.repairs.contested(key),
			seen: caches.services.newest ?? "0",
			now: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
		};
	}

	#findings(
		key: string,
		service: Service,
		held: readonly string[],
		grants: Grants | undefined,
	): Finding[] {
		const record = externalIPRecordOf(service)?.addresses ?? [];
		// What is to leave the spec next is no longer spoken of.
		const stale = new Set(record.filter((ip) => !held.includes(ip)));
		const written = (service.spec.externalIPs ?? []).filter(
			(text) => !stale.has(canonical([text])[0] ?? text),
		);
		const known = new Set(canonical(written));
		const all = [...written, ...held.filter((ip) => !known.has(ip))];
		return assess(service, all, {
			key,
			grantOf: grants && ((ip) => this.#grantOf(service, ip, grants)),
			usersOf: (ip) => this.#usersOf(ip, key, grants),
		});
	}

	#usersOf(ip: string, key: string, grants: Grants | undefined): AddressUser[] {
		const users = this.#users?.usersOf(ip, key) ?? [];
		return users.filter((user) => {
			if (user.role !== "ExternalIP" || !grants) return true;
			const other = this.#options.caches.services.get(user.service);
			return (
				other !== undefined &&
				this.#grantOf(other, ip, grants).kind === "Granted"
			);
		});
	}

	#grantOf(service: Service, ip: string, grants: Grants): Grant {
		const namespace = this.#options.caches.namespaces.get(
			service.metadata.namespace ?? "",
		);
		const address = parseIp(ip);
		if (!address.ok) return { kind: "NotGranted", pool: undefined };
		const grant = grantOf(
			grants,
			namespace?.metadata.labels ?? {},
			service.metadata.labels ?? {},
			address.value,
		);
		if (grant.kind !== "NotGranted" || grant.pool !== undefined) return grant;
		const pool = this.#policy.leftOutWith(address.value);
		return pool === undefined ? grant : { ...grant, pool, leftOut: true };
	}

	/** What the API server does not take is remembered, so that the record alone stands and nobody asks in a loop. */
	async #writeSpec(
		key: string,
		service: Service,
		externalIPs: string[],
	): Promise<void> {
		const { uid = "", resourceVersion } = service.metadata;
		const held = externalIPRecordOf(service)?.addresses ?? [];
		const adds = canonical(externalIPs).some((ip) => held.includes(ip));
		try {
			const answer = await this.#write(key, service, undefined, {
				type: "merge",
				body: {
					metadata: { uid, resourceVersion },
					spec: { externalIPs: externalIPs.length > 0 ? externalIPs : null },
				},
			});
			if (!answer || !adds) return;
			const kept = canonical(answer.spec.externalIPs ?? []);
			if (held.every((ip) => kept.includes(ip))) this.#refusals.delete(uid);
			else
				this.#refusals.add(
					uid,
					held,
					"it keeps none of that field (KEP-5707)",
					true,
				);
		} catch (error) {
			if (!adds || !isFairleadError(error, "KubeInvalid", "KubeForbidden"))
				throw error;
			this.#refusals.add(uid, held, error.message, false);
		}
	}

	/** The answer, which is in the cache then; undefined when the Service changed or went meanwhile, and was read anew. */
	async #write(
		key: string,
		service: Service,
		subresource: "status" | undefined,
		patch: Patch,
	): Promise<Service | undefined> {
		const { client, caches } = this.#options;
		const { name, namespace = "" } = service.metadata;
		const ref = { namespace, name };
		const take = (answer: Service) => {
			if (objectKey(answer) === key) caches.services.apply(answer);
			return answer;
		};
		this.#patching.add(key);
		try {
			return take(
				await client.patch<Service>(
					resources.services,
					subresource ? { ...ref, subresource } : ref,
					patch,
				),
			);
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return undefined;
			if (!isFairleadError(error, "KubeConflict")) throw error;
		} finally {
			this.#patching.delete(key);
		}
		try {
			take(await client.get<Service>(resources.services, ref));
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
		return undefined;
	}
}
