import type { Secret } from "../api/core.ts";
import type { BalancerClass } from "../api/fairlead.ts";
import type { Clock } from "../clock.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";
import { FairleadError, isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { CloudBudgets } from "../providers/hetzner-cloud/budget.ts";
import type { CloudProjects } from "../providers/hetzner-cloud/project.ts";
import type { HetznerCloudOptions } from "../providers/hetzner-cloud/provider.ts";
import type { Provider } from "../providers/provider.ts";
import type { Caches } from "./caches.ts";

export interface ProviderRegistryOptions {
	client: KubeClient;
	caches: Caches;
	clock: Clock;
	random: () => number;
	log: Log;
	clusterId: string;
	/** Makes a provider; replaced in tests of the controller alone. */
	create?: typeof createProvider;
}

interface Shared {
	/** One token has one budget, however many classes use it. */
	budgets?: CloudBudgets;
	/** One token has one list of what is there, too. */
	projects?: CloudProjects;
}

interface Entry {
	/** What it was made from: another spec makes another provider. */
	spec: string;
	provider: Promise<Provider>;
}

/** One provider per BalancerClass, made when first needed and made anew when the class changed. */
export class ProviderRegistry {
	readonly #options: ProviderRegistryOptions;
	readonly #entries = new Map<string, Entry>();
	/** What the providers of several classes have in common. */
	readonly #shared: Shared = {};

	constructor(options: ProviderRegistryOptions) {
		this.#options = options;
	}

	/** Throws a FairleadError when the class does not exist or a provider cannot be made from it. */
	async of(className: string): Promise<Provider> {
		const found = this.#options.caches.classes.get(className);
		if (!found)
			throw new FairleadError(
				"CloudNotFound",
				`BalancerClass ${className} is gone, and with it how to reach what it holds; create it again, or remove the finalizer to leave the balancer behind`,
			);
		const spec = JSON.stringify(found.spec);
		const known = this.#entries.get(className);
		if (known?.spec === spec) return known.provider;
		const { create = createProvider } = this.#options;
		const provider = create(found, {
			...this.#options,
			shared: this.#shared,
		});
		const entry = { spec, provider };
		this.#entries.set(className, entry);
		provider.catch(() => {
			if (this.#entries.get(className) === entry)
				this.#entries.delete(className);
		});
		if (known) {
			// First the new one: what both share then goes on, with what it knows.
			await Promise.allSettled([provider]);
			await this.#close(known);
		}
		return provider;
	}

	/** Ends every provider. */
	async close(): Promise<void> {
		const entries = [...this.#entries.values()];
		this.#entries.clear();
		await Promise.all(entries.map((entry) => this.#close(entry)));
	}

	async #close(entry: Entry): Promise<void> {
		try {
			await (await entry.provider).close();
		} catch (err) {
			this.#options.log.debug({ err }, "a provider that never came about");
		}
	}
}

/** Providers are loaded only where a class asks for them. */
export async function createProvider(
	found: BalancerClass,
	options: Omit<ProviderRegistryOptions, "caches" | "create"> & {
		shared: Shared;
	},
): Promise<Provider> {
	const { spec, metadata } = found;
	switch (spec.provider) {
		case "HetznerCloud": {
			const { createHetznerCloud } = await import(
				"../providers/hetzner-cloud/provider.ts"
			);
			const config = spec.hetznerCloud;
			if (!config)
				throw new FairleadError(
					"ClassInvalid",
					`BalancerClass ${metadata.name}: spec.hetznerCloud is missing`,
				);
			const { createCloudBudgets } = await import(
				"../providers/hetzner-cloud/budget.ts"
			);
			const { clock, random, log, clusterId, shared } = options;
			const { createCloudProjects } = await import(
				"../providers/hetzner-cloud/project.ts"
			);
			shared.budgets ??= createCloudBudgets(clock);
			shared.projects ??= createCloudProjects();
			const cloud: HetznerCloudOptions = {
				...(config.endpoint ? { endpoint: config.endpoint } : {}),
				...(config.location ? { location: config.location } : {}),
				...(config.networkZone ? { networkZone: config.networkZone } : {}),
				...(config.type ? { type: config.type } : {}),
				token: tokenSource(config.tokenSecretRef, options),
				clock,
				random,
				log,
				clusterId,
				budgets: shared.budgets,
			};
			const { namespace, name, key = "token" } = config.tokenSecretRef;
			const source = [config.endpoint ?? "", namespace, name, key].join(" ");
			return createHetznerCloud(cloud, shared.projects, source);
		}
		case "Static": {
			const { createStatic } = await import("../providers/static/static.ts");
			return createStatic();
		}
		default:
			throw new FairleadError(
				"ClassInvalid",
				`BalancerClass ${metadata.name}: provider ${spec.provider} is not part of this version`,
			);
	}
}

/** A token is read again after this long, so that one that was rotated is taken over. */
const tokenAgeMs = 10_000;

function tokenSource(
	ref: NonNullable<BalancerClass["spec"]["hetznerCloud"]>["tokenSecretRef"],
	{ client, clock }: Pick<ProviderRegistryOptions, "client" | "clock">,
): () => Promise<string> {
	let known: { token: Promise<string>; until: number } | undefined;
	return () => {
		if (known && clock.monotonic() < known.until) return known.token;
		const token = readToken(ref, client);
		const mine = { token, until: clock.monotonic() + tokenAgeMs };
		known = mine;
		token.catch(() => {
			if (known === mine) known = undefined;
		});
		return token;
	};
}

/** Reads it freshly; throws CloudTokenMissing when there is none. */
export async function readToken(
	ref: NonNullable<BalancerClass["spec"]["hetznerCloud"]>["tokenSecretRef"],
	client: KubeClient,
): Promise<string> {
	const key = ref.key ?? "token";
	const where = `Secret ${ref.namespace}/${ref.name}`;
	let secret: Secret;
	try {
		secret = await client.get<Secret>(resources.secrets, {
			namespace: ref.namespace,
			name: ref.name,
		});
	} catch (cause) {
		if (isFairleadError(cause, "KubeForbidden"))
			throw new FairleadError(
				"CloudTokenMissing",
				`${where} with the cloud's token may not be read: RBAC does not let this controller; list it in the chart's value tokenSecrets, or grant get on it`,
				{ cause },
			);
		if (!isFairleadError(cause, "KubeNotFound")) throw cause;
		throw new FairleadError(
			"CloudTokenMissing",
			`${where} with the cloud's token does not exist; create it with key ${key}`,
			{ cause },
		);
	}
	const token = Buffer.from(secret.data?.[key] ?? "", "base64")
		.toString("utf8")
		.trim();
	if (token === "")
		throw new FairleadError(
			"CloudTokenMissing",
			`${where} has no key ${key}, or it is empty`,
		);
	return token;
}
