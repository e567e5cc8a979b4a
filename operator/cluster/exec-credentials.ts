import { spawn } from "node:child_process";
import type https from "node:https";
import { dirname, resolve } from "node:path";
import type { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { FairleadError } from "../errors.ts";
import { oneLine } from "./answers.ts";
import {
	type Connection,
	type Credentials,
	type CredentialSources,
	sameCredentials,
} from "./connection.ts";
import {
	flag,
	isMapping,
	kindOf,
	pairProblem,
	type Section,
	text,
	texts,
	wrong,
} from "./kubeconfig-fields.ts";

/** A plugin that takes longer waits for somebody who is not there. */
const patienceMs = 60_000;

const versions = [
	"client.authentication.k8s.io/v1",
	"client.authentication.k8s.io/v1beta1",
];

/**
 * Credentials from a program (client-go credential plugins), run through client-node's ExecAuth, which keeps them until
 * they expire; a refusal by the server runs it anew. `cluster` is told to a plugin that asks (provideClusterInfo). The plugin gets no stdin and is killed after `timeoutMs`.
 */
export function execCredentials(
	exec: Section,
	{ log }: CredentialSources,
	cluster: object,
	timeoutMs = patienceMs,
): Connection["credentials"] {
	const plugin = pluginOf(exec, cluster);
	const user = { name: exec.at, exec: plugin };
	let auth: ExecAuth | undefined;
	let known: Credentials | undefined;
	let running: Promise<Credentials> | undefined;

	/** With the instance goes what it keeps: it would repeat unusable output, too, until that expires. */
	const forget = () => {
		auth = undefined;
		known = undefined;
	};

	const run = async (): Promise<Credentials> => {
		auth ??= await loadExecAuth(timeoutMs);
		const options: https.RequestOptions = {};
		try {
			await auth.applyAuthentication(user, options);
		} catch (error) {
			forget();
			throw failure(exec, plugin.command, error, timeoutMs);
		}
		const credentials = credentialsIn(options);
		const problem = problemOf(credentials);
		if (problem) {
			forget();
			throw new FairleadError(
				"KubeUnauthorized",
				`${exec.file}: ${exec.at}: ${plugin.command} ${problem}`,
			);
		}
		if (!known || !sameCredentials(known, credentials))
			log.debug(
				{ command: plugin.command },
				"exec plugin gave new credentials",
			);
		known = credentials;
		return credentials;
	};

	return (refused) => {
		if (refused && known && sameCredentials(refused, known)) {
			forget();
		}
		running ??= run().finally(() => {
			running = undefined;
		});
		return running;
	};
}

/** What ExecAuth takes: the kubeconfig's own fields. */
interface Plugin {
	command: string;
	args: string[];
	env: { name: string; value: string }[];
}

function pluginOf(exec: Section, cluster: object): Plugin {
	const command = text(exec, "command");
	if (!command)
		throw wrong(exec, "command", "is missing; name the credential plugin");
	const apiVersion = text(exec, "apiVersion") ?? "";
	if (!versions.includes(apiVersion))
		throw wrong(
			exec,
			"apiVersion",
			`is "${apiVersion}"; give ${versions.join(" or ")}`,
		);
	const mode = text(exec, "interactiveMode");
	if (mode === "Always")
		throw wrong(
			exec,
			"interactiveMode",
			"is Always, but nobody is there to answer; use a plugin that asks nothing",
		);
	const given = exec.fields["env"] ?? [];
	const isEnv = (one: unknown): one is Plugin["env"][number] =>
		isMapping(one) &&
		typeof one["name"] === "string" &&
		typeof one["value"] === "string";
	if (!Array.isArray(given) || !given.every(isEnv))
		throw wrong(
			exec,
			"env",
			`is ${kindOf(given)}; write a list of {name, value}, both strings`,
		);
	const info = {
		kind: "ExecCredential",
		apiVersion,
		spec: {
			interactive: false,
			...(flag(exec, "provideClusterInfo") ? { cluster } : {}),
		},
	};
	return {
		// With a slash it is a path, and then starts at the kubeconfig's folder.
		command: command.includes("/")
			? resolve(dirname(exec.file), command)
			: command,
		args: texts(exec, "args"),
		env: [
			...given,
			{ name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) },
		],
	};
}

async function loadExecAuth(timeoutMs: number): Promise<ExecAuth> {
	const module = await import("@kubernetes/client-node/dist/exec_auth.js");
	const auth = new module.ExecAuth();
	// Its own spawn leaves stdin open and never gives up: a plugin that asks something would hang for good.
	const execFn = (command: string, args: string[], options: object) =>
		spawn(command, args, {
			...options,
			stdio: ["ignore", "pipe", "pipe"],
			timeout: timeoutMs,
			killSignal: "SIGKILL",
		});
	return Object.assign(auth, { execFn });
}

function credentialsIn(options: https.RequestOptions): Credentials {
	const headers = options.headers as Record<string, string> | undefined;
	const authorization = headers?.["Authorization"];
	return {
		...(authorization ? { authorization } : {}),
		...(typeof options.cert === "string" ? { certificate: options.cert } : {}),
		...(typeof options.key === "string" ? { key: options.key } : {}),
	};
}

function problemOf({
	authorization,
	certificate,
	key,
}: Credentials): string | undefined {
	if (!authorization && !certificate)
		return "gave neither a token nor a client certificate";
	if (authorization && !/^Bearer [\x21-\x7e]+$/.test(authorization))
		return "gave a token with characters no token has";
	const problem =
		certificate || key ? pairProblem(certificate ?? "", key ?? "") : undefined;
	return problem && `gave a certificate and key that do not work: ${problem}`;
}

function failure(
	exec: Section,
	command: string,
	error: unknown,
	timeoutMs: number,
): FairleadError {
	const code = (error as NodeJS.ErrnoException).code;
	// A search through PATH ends in EACCES, too, when one of its folders may not be entered (execvp(3)).
	if (code === "ENOENT" || code === "EACCES") {
		const hint = text(exec, "installHint");
		return wrong(
			exec,
			"command",
			`names ${command}, which ${code === "ENOENT" || !command.includes("/") ? "is not installed" : "may not be run"}${hint ? `: ${hint}` : "; install it or correct the name"}`,
			error,
		);
	}
	const said =
		oneLine((error as Error).message, 300) ||
		`nothing on stderr; it may have been killed after ${timeoutMs / 1000} s`;
	return new FairleadError(
		"KubeUnauthorized",
		`${exec.file}: ${exec.at}: ${command} gave no credentials: ${said}`,
		{ cause: error },
	);
}
