import type { Service } from "../../operator/api/core.ts";
import { readNodePorts } from "../../operator/cluster/node-ports-view.ts";
import { portOverview } from "../../operator/model/nodeports/overview.ts";
import { admits, readPortPools } from "../../operator/model/nodeports/pools.ts";
import {
	formatPortRange,
	rangeSize,
	staticBand,
} from "../../operator/model/nodeports/port-range.ts";
import { askCluster } from "../ask-cluster.ts";
import type { nodePortsFlags } from "../asking-config.ts";
import type { FlagValues } from "../flags.ts";
import { type NodePortsTold, nodePortsText } from "../output/nodeports-text.ts";
import { styleOf, wantsColour } from "../output/style.ts";
import type { Runtime } from "../runtime.ts";

/** Prints how the NodePorts of the cluster are used, who holds which, and what clashes with them. */
export async function nodeports(
	asked: FlagValues<typeof nodePortsFlags>,
	runtime: Runtime,
): Promise<void> {
	const { namespace, "node-port-range": range } = asked;
	const view = await askCluster(
		asked,
		runtime,
		"fairlead-nodeports",
		(client) => readNodePorts(client, { namespace, signal: runtime.stop }),
	);
	const pools = readPortPools(
		view.pools.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
		range,
	);
	const labels = ({ metadata }: Service) =>
		view.namespaceLabels.get(metadata.namespace ?? "") ?? {};
	const overview = portOverview(
		view.services,
		pools,
		view.facts,
		range,
		(pool, service) => admits(pool, service, labels(service)),
	);
	const band = staticBand(range);
	const held = new Set(overview.held.map(({ nodePort }) => nodePort));
	const told: NodePortsTold = {
		range: formatPortRange(range),
		staticBand: band ? formatPortRange(band) : null,
		total: rangeSize(range),
		used: overview.used,
		reserved: overview.reserved,
		free: overview.free,
		held: overview.held,
		pools: pools.map(({ name, range: of, problems, overlap }) => {
			const used = [...held].filter(
				(port) => of && of.first <= port && port <= of.last,
			).length;
			return {
				name,
				range: of ? formatPortRange(of) : null,
				used,
				free: (of ? rangeSize(of) : 0) - used,
				problems: overlap === undefined ? problems : [...problems, overlap],
			};
		}),
		conflicts: overview.conflicts,
		conflictsFrom: view.factsFrom,
		unread: view.unread,
	};
	const style = styleOf(
		wantsColour(asked.color, runtime.terminal.isTTY, runtime.env),
	);
	runtime.stdout(
		asked.output === "json"
			? JSON.stringify(told, null, 2)
			: nodePortsText(told, style).join("\n"),
	);
}
