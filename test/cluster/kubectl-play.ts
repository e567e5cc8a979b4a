import type { Kubectl, KubectlAnswer } from "../support/kubectl.ts";
import { type Endpoint, normalize } from "./apiserver-play.ts";

/** One kubectl command: words separated by spaces, `'…'` around words that hold some. NS stands for the row's namespace. */
export type Command =
	| string
	| { run: string; stdin?: string | object; editor?: string };

/** What kubectl does, as a sentence, and the commands that show it. */
export type Row = [sentence: string, ...commands: Command[]];

/** A server, and kubectl as its admin. */
export interface Side {
	kubectl: Kubectl;
	endpoint: Endpoint;
	/** Every text by which the server calls itself. */
	ownNames: string[];
}

export interface Played {
	answers: KubectlAnswer[];
	objects: unknown;
}

/** Plays a row in a namespace of its own. */
export async function play(
	side: Side,
	[, ...commands]: Row,
	namespace: string,
): Promise<Played> {
	const { endpoint } = side;
	const made = await endpoint.call(
		"POST",
		"/api/v1/namespaces",
		JSON.stringify({ metadata: { name: namespace } }),
		{ "content-type": "application/json" },
	);
	if (made.code !== 201)
		throw new Error(`no namespace ${namespace}: ${JSON.stringify(made)}`);
	const answers: KubectlAnswer[] = [];
	for (const command of commands)
		answers.push(await run(side, command, namespace));
	return { answers, objects: await objectsIn(endpoint, namespace) };
}

async function run(
	{ kubectl, ownNames }: Side,
	command: Command,
	namespace: string,
): Promise<KubectlAnswer> {
	const {
		run: line,
		stdin = "",
		editor,
	} = typeof command === "string"
		? { run: command, editor: undefined }
		: { editor: undefined, ...command };
	const inPlace = (text: string) => text.replaceAll("NS", namespace);
	const answer = await kubectl.run(
		["--namespace", namespace, ...words(inPlace(line))],
		{
			stdin: inPlace(typeof stdin === "string" ? stdin : JSON.stringify(stdin)),
			env: editor ? { KUBE_EDITOR: editor } : {},
		},
	);
	const tidy = (text: string) => tidied(text, namespace, ownNames);
	return {
		code: answer.code,
		stdout: tidy(answer.stdout),
		stderr: tidy(answer.stderr),
	};
}

function words(line: string): string[] {
	return [...line.matchAll(/'([^']*)'|(?:[^\s']|'[^']*')+/g)].map(
		([word, quoted]) => quoted ?? word.replaceAll("'", ""),
	);
}

const kinds = [
	"/api/v1/NS/services",
	"/api/v1/NS/configmaps",
	"/api/v1/NS/secrets",
	"/api/v1/NS/pods",
	"/apis/apps/v1/NS/deployments",
];

/** What a row leaves behind. */
async function objectsIn(
	endpoint: Endpoint,
	namespace: string,
): Promise<unknown> {
	const lists = await Promise.all(
		kinds.map(async (path) => {
			const { body } = await endpoint.call(
				"GET",
				path.replace("NS", `namespaces/${namespace}`),
				undefined,
				{},
			);
			const items = (body as { items?: Named[] }).items ?? [];
			return items
				.filter(({ metadata }) => metadata.name !== "kube-root-ca.crt")
				.map((item) => withoutHelpers(item));
		}),
	);
	const text = JSON.stringify(normalize(lists.flat()));
	return JSON.parse(randomNames(text)) as unknown;
}

interface Named {
	metadata: { name: string; managedFields?: Managed[] };
	spec?: Record<string, unknown>;
	status?: unknown;
}
interface Managed {
	manager: string;
}

/** The ServiceAccount plugin, which the real server here runs without. */
function withoutAccount(spec: Record<string, unknown>) {
	const { serviceAccount: _a, serviceAccountName: _b, ...rest } = spec;
	return rest;
}

/** Without what controllers write at a time of their own: their entries in managedFields, and statuses. */
function withoutHelpers(whole: Named): Named {
	const { status: _status, ...item } = whole;
	const { managedFields = [], ...metadata } = item.metadata;
	return {
		...item,
		...(item.spec && { spec: withoutAccount(item.spec) }),
		metadata: {
			...metadata,
			managedFields: managedFields.filter(({ manager }) =>
				manager.startsWith("kubectl"),
			),
		},
	};
}

/** Hashes of pod templates, which only Go can make as Go does, and names that end in five random characters. */
function randomNames(text: string): string {
	return text
		.replace(/(pod-template-hash=|"pod-template-hash":")\w+/g, "$1HASH")
		.replace(/\b(web|one)-[0-9a-z]{8,10}\b/g, "$1-HASH")
		.replace(/restartedAt":"[^"]*/g, 'restartedAt":"TIME')
		.replace(
			/(-[0-9a-z]{7,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g,
			"$1-RANDOM",
		);
}

/** Leaves what two servers must agree on. */
function tidied(text: string, namespace: string, ownNames: string[]): string {
	let clean = text.replaceAll(namespace, "NS");
	for (const name of ownNames) clean = clean.replaceAll(name, "SERVER");
	return (
		randomNames(clean)
			.replace(/[ \t]+/g, " ")
			// kubectl's own log: a watch that its deadline cut short ends one way or another.
			.replace(/^[EIW]\d{4} [\d:.]+ .*\n/gm, "")
			.replace(/\/tmp\/\S+/g, "FILE")
			.replace(
				/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
				"UID",
			)
			.replace(/\b20\d\d-\d\d-\d\dT[\d:.]+Z/g, "TIME")
			.replace(/\w{3}, \d\d \w{3} 20\d\d [\d:]+ [+-]\d{4}/g, "TIME")
			.replace(/(resourceVersion"?: ?"?)\d+/g, "$1REVISION")
			.replace(/\b10\.96\.\d+\.\d+\b/g, "CLUSTER-IP")
			.replace(/\b3[0-2]\d{3}\b/g, "NODE-PORT")
			.replace(/(\+\+\+|---) FILE .*/g, "$1 FILE TIME")
			.replace(/(?<=^| )\d+s(?= |$)/gm, "AGE")
			.replace(/^Service Account: .*\n/gm, "")
			.replace(/ +$/gm, "")
	);
}
