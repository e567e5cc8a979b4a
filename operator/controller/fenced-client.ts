import type { KubeClient } from "../cluster/kube.ts";
import type { Fence } from "../cluster/lease.ts";

/** A client whose writes are refused, before anything is sent, once the term they belong to is over. */
export function fencedClient(client: KubeClient, fence: Fence): KubeClient {
	return {
		get: (...args) => client.get(...args),
		list: (...args) => client.list(...args),
		watch: (...args) => client.watch(...args),
		create: async (...args) => {
			fence();
			return client.create(...args);
		},
		replace: async (...args) => {
			fence();
			return client.replace(...args);
		},
		patch: async (...args) => {
			fence();
			return client.patch(...args);
		},
		delete: async (...args) => {
			fence();
			return client.delete(...args);
		},
		act: async (...args) => {
			fence();
			return client.act(...args);
		},
		close: () => client.close(),
	};
}
