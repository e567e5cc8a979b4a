import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type { Store } from "../../operator/cluster/index.ts";
import type { KubeClient, Resource } from "../../operator/cluster/kube.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { refOf } from "./ownership.ts";

/** Answers that leave open whether the object was made. */
const unclear = [
	"KubeUnreachable",
	"KubeServerError",
	"KubeBadAnswer",
] as const;

/**
 * Creates objects under names made here, so that one whose answer was lost can be looked for: no stale cache and no
 * broken connection makes one too many.
 */
export class Creations<T extends KubeObject> {
	readonly #client: KubeClient;
	readonly #resource: Resource;
	readonly #store: Store<T>;
	readonly #random: () => number;
	/** By owner: objects that may or may not have been made. */
	readonly #unclear = new Map<string, Map<string, T>>();

	constructor(
		client: KubeClient,
		resource: Resource,
		store: Store<T>,
		random: () => number,
	) {
		this.#client = client;
		this.#resource = resource;
		this.#store = store;
		this.#random = random;
	}

	/** Creates `object` under a name that begins with its `generateName`; the cache has it when this resolves. */
	async create(owner: string, object: T): Promise<T> {
		const { generateName = "" } = object.metadata;
		const name = nameFrom(generateName, this.#random);
		const named: T = { ...object, metadata: { ...object.metadata, name } };
		try {
			const made = await this.#client.create<T>(this.#resource, named);
			this.#store.apply(made);
			return made;
		} catch (error) {
			if (isFairleadError(error, ...unclear)) {
				const open = this.#unclear.get(owner) ?? new Map<string, T>();
				this.#unclear.set(owner, open.set(objectKey(named), named));
			}
			throw error;
		}
	}

	/** Brings into the cache what was made for `owner` though the answer was lost. Throws while nobody can tell. */
	async settle(owner: string): Promise<void> {
		const open = this.#unclear.get(owner);
		for (const [key, { metadata }] of open ?? []) {
			try {
				this.#store.apply(
					await this.#client.get<T>(this.#resource, refOf(metadata)),
				);
			} catch (error) {
				if (!isFairleadError(error, "KubeNotFound")) throw error;
			}
			open?.delete(key);
		}
		this.#unclear.delete(owner);
	}

	forget(owner: string): void {
		this.#unclear.delete(owner);
	}
}

// Of k8s.io/apimachinery/pkg/util/rand: no vowels and no look-alikes.
const letters = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;

/** A name as names.SimpleNameGenerator makes it. */
function nameFrom(base: string, random: () => number): string {
	const suffix = Array.from(
		{ length: suffixLength },
		() => letters[Math.floor(random() * letters.length)],
	).join("");
	return base.slice(0, 63 - suffixLength) + suffix;
}

/** Each byte of `text` as one of the letters that names are made of (rand.SafeEncodeString). */
export function safeEncode(text: string): string {
	return [...Buffer.from(text)]
		.map((byte) => letters[byte % letters.length])
		.join("");
}
