import type { KubeClient, Resource } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";

/**
 * A client whose owner is killed with its write of a given number (from 0, events apart), just before or just after the
 * API server has done it. From then on nothing reaches the server, which is all the server ever sees of a kill -9.
 */
export function mortalClient(
	client: KubeClient,
	death: { write: number; when: "before" | "after" },
): { client: KubeClient; died: Promise<void> } {
	let writes = 0;
	let dead = false;
	let tell = () => {};
	const died = new Promise<void>((resolve) => {
		tell = resolve;
	});
	const refuse = (): never => {
		throw new FairleadError("KubeUnreachable", "killed");
	};
	const alive =
		<A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
		async (...args: A): Promise<R> =>
			dead ? refuse() : call(...args);
	const write =
		<A extends [Resource, ...unknown[]], R>(call: (...args: A) => Promise<R>) =>
		async (...args: A): Promise<R> => {
			if (dead) refuse();
			if (args[0].plural === "events" || writes++ !== death.write)
				return call(...args);
			if (death.when === "after") await call(...args).catch(() => {});
			dead = true;
			tell();
			return refuse();
		};
	const mortal: KubeClient = {
		get: alive(client.get.bind(client)) as KubeClient["get"],
		list: alive(client.list.bind(client)) as KubeClient["list"],
		watch: alive(client.watch.bind(client)) as KubeClient["watch"],
		create: write(client.create.bind(client)) as KubeClient["create"],
		replace: write(client.replace.bind(client)) as KubeClient["replace"],
		patch: write(client.patch.bind(client)) as KubeClient["patch"],
		delete: write(client.delete.bind(client)),
		act: write(client.act.bind(client)),
		close: () => client.close(),
	};
	return { client: mortal, died };
}
