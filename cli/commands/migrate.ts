import { readFile } from "node:fs/promises";
import { parseAllDocuments, stringify } from "yaml";
import type { Service } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { listAll } from "../../operator/cluster/list-all.ts";
import { FairleadError, isFairleadError } from "../../operator/errors.ts";
import {
	type Migration,
	migrateMetallb,
	servedPools,
} from "../../operator/model/migrate/metallb.ts";
import { metallbObjects } from "../../operator/model/migrate/metallb-kinds.ts";
import {
	keepCommand,
	servicesToKeep,
} from "../../operator/model/migrate/metallb-services.ts";
import { askCluster } from "../ask-cluster.ts";
import type { migrateFlags } from "../asking-config.ts";
import type { FlagValues } from "../flags.ts";
import type { Runtime } from "../runtime.ts";

type Typed = KubeObject & { apiVersion?: string; kind?: string };

/** Exit code when some of what MetalLB was told cannot be told to Fairlead. */
const lost = 3;

/** Prints MetalLB's configuration as Fairlead's. Resolves with the exit code. */
export async function migrate(
	flags: FlagValues<typeof migrateFlags>,
	runtime: Runtime,
): Promise<number> {
	const objects =
		flags.file.length > 0
			? (
					await Promise.all(
						flags.file.map(async (file) =>
							objectsOf(file, await read(file, runtime)),
						),
					)
				).flat()
			: await askCluster(flags, runtime, "fairlead-migrate", (client) =>
					readMetallb(client, runtime.stop),
				);
	const found = metallbObjects(objects);
	if (found.pools.length === 0)
		throw new FairleadError(
			"KubeNotFound",
			flags.file.length > 0
				? "there is no IPAddressPool of MetalLB in what was given"
				: "there is no IPAddressPool of MetalLB in the cluster; give its objects with --file",
		);
	const migration = migrateMetallb(found, { makeDefault: flags.default });
	const { keep, notes } = servicesToKeep(
		objects.filter(
			({ apiVersion, kind }) => apiVersion === "v1" && kind === "Service",
		) as unknown as Service[],
		servedPools(migration),
	);
	migration.notes.push(...notes);
	const commands = keep.map(keepCommand);
	const remarks = remarksOf(migration);
	if (flags.output !== "yaml")
		for (const remark of remarks) runtime.stderr(remark);
	for (const line of outputs[flags.output](migration, commands, remarks))
		runtime.stdout(line);
	return migration.notes.some(({ kind }) => kind === "Lost") ? lost : 0;
}

const outputs = {
	json: ({ classes, pools }: Migration) => [
		JSON.stringify(
			{ apiVersion: "v1", kind: "List", items: [...classes, ...pools] },
			null,
			2,
		),
	],
	commands: (_migration: Migration, commands: string[]) => commands,
	yaml: (
		{ classes, pools }: Migration,
		commands: string[],
		remarks: string[],
	) => [
		...remarks.map((remark) => `# ${remark}`),
		...(commands.length > 0
			? [
					"# Before these are applied, tell the Services that they are Fairlead's now, and to ask for the addresses they have",
					"# (-o commands prints only this):",
					...commands.map((command) => `#   ${command}`),
				]
			: []),
		...[...classes, ...pools].map(
			(object) => `---\n${stringify(object).trimEnd()}`,
		),
	],
};

function remarksOf({ notes }: Migration): string[] {
	return notes.map(
		({ about, kind, message }) =>
			`${about}: ${message}${kind === "Lost" ? " [lost]" : ""}`,
	);
}

const metallb = (version: string, plural: string, kind: string) => ({
	group: "metallb.io",
	version,
	plural,
	kind,
	namespaced: true,
});

const kinds = [
	metallb("v1beta1", "ipaddresspools", "IPAddressPool"),
	metallb("v1beta2", "addresspools", "AddressPool"),
	metallb("v1beta1", "addresspools", "AddressPool"),
	metallb("v1beta1", "l2advertisements", "L2Advertisement"),
	metallb("v1beta1", "bgpadvertisements", "BGPAdvertisement"),
	metallb("v1beta2", "bgppeers", "BGPPeer"),
	metallb("v1beta1", "bfdprofiles", "BFDProfile"),
	metallb("v1beta1", "communities", "Community"),
	resources.services,
];

async function readMetallb(
	client: KubeClient,
	signal: AbortSignal,
): Promise<Typed[]> {
	const objects = new Map<string, Typed>();
	for (const resource of kinds) {
		const { group, version, kind } = resource;
		const apiVersion = group ? `${group}/${version}` : version;
		try {
			const listed = await listAll<Typed>(
				client,
				resource,
				{},
				{
					pageSize: 500,
					trim: (object) => object,
					signal,
				},
			);
			for (const object of listed.objects) {
				const { namespace, name } = object.metadata;
				// A kind served in two versions is listed twice.
				objects.set(`${kind} ${namespace}/${name}`, {
					...object,
					apiVersion,
					kind,
				});
			}
		} catch (error) {
			// Kinds come and go with MetalLB's versions.
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}
	return [...objects.values()];
}

function objectsOf(file: string, text: string): Typed[] {
	return parseAllDocuments(text).flatMap((document, index) => {
		const where = `--file ${file}, document ${index + 1}`;
		const [error] = document.errors;
		if (error)
			throw new FairleadError(
				"FlagInvalid",
				`${where}: ${error.message.split("\n")[0]}`,
			);
		const value: unknown = document.toJS();
		if (value === null || value === undefined) return [];
		const { items } = value as { items?: unknown };
		return (Array.isArray(items) ? items : [value]).map((object) => {
			const { metadata } = (object ?? {}) as Partial<Typed>;
			if (typeof metadata?.name === "string") return object as Typed;
			throw new FairleadError(
				"FlagInvalid",
				`${where}: metadata.name is missing; give Kubernetes objects, as kubectl get -o yaml prints them`,
			);
		});
	});
}

async function read(file: string, runtime: Runtime): Promise<string> {
	if (file === "-") return runtime.stdin();
	try {
		return await readFile(file, "utf8");
	} catch (cause) {
		throw new FairleadError(
			"FlagInvalid",
			`--file ${file}: ${(cause as Error).message}`,
			{ cause },
		);
	}
}
