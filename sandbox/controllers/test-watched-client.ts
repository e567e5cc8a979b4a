import type { KubeObject } from "../../operator/api/meta.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";

/** For tests: what was written through a client, and a hand in what it creates. */
export interface Watched {
	client: KubeClient;
	/** `verb plural name`, events not counted. */
	writes: string[];
	/** May do something first. */
	beforeCreate: (object: KubeObject) => Promise<void>;
	/** May throw, in place of the answer. */
	afterCreate: (object: KubeObject) => void;
}

export function watchedClient(client: KubeClient): Watched {
	const note = (verb: string, { plural }: { plural: string }, name: string) => {
		if (plural !== "events") watched.writes.push(`${verb} ${plural} ${name}`);
	};
	const watched: Watched = {
		writes: [],
		beforeCreate: async () => {},
		afterCreate: () => {},
		client: {
			...client,
			async create(resource, object, options) {
				note("create", resource, object.metadata.name);
				await watched.beforeCreate(object);
				const made = await client.create(resource, object, options);
				watched.afterCreate(made);
				return made;
			},
			patch(resource, ref, patch, options) {
				note("patch", resource, ref.name);
				return client.patch(resource, ref, patch, options);
			},
			delete(resource, ref, preconditions, options) {
				note("delete", resource, ref.name);
				return client.delete(resource, ref, preconditions, options);
			},
			act(resource, ref, body, options) {
				note(ref.subresource, resource, ref.name);
				return client.act(resource, ref, body, options);
			},
		},
	};
	return watched;
}
