import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { FairleadError } from "../errors.ts";
import type { Connection, CredentialSources } from "./connection.ts";
import { credentialsOf } from "./credentials.ts";
import { checkAuthority, whyUnreadable } from "./kubeconfig-fields.ts";

/** What a Pod knows of its cluster: KUBERNETES_SERVICE_HOST, _PORT, and where its service account is mounted. */
export interface InCluster {
	host: string;
	port: string;
	/** In a Pod /var/run/secrets/kubernetes.io/serviceaccount. */
	directory: string;
}

/** The connection of a Pod's service account. Throws KubeconfigInvalid. */
export async function inClusterConnection(
	{ host, port, directory }: InCluster,
	sources: CredentialSources,
): Promise<Connection> {
	const origin = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
	if (!URL.canParse(origin))
		throw new FairleadError(
			"KubeconfigInvalid",
			`KUBERNETES_SERVICE_HOST "${host}" and KUBERNETES_SERVICE_PORT "${port}" make no address; pass --kubeconfig`,
		);
	const read = async (name: string) => {
		const path = join(directory, name);
		try {
			const content = (await readFile(path, "utf8")).trim();
			if (content) return content;
		} catch (error) {
			throw new FairleadError(
				"KubeconfigInvalid",
				`${path} ${whyUnreadable(error)} (automountServiceAccountToken of the Pod, or pass --kubeconfig)`,
				{ cause: error },
			);
		}
		throw new FairleadError("KubeconfigInvalid", `${path} is empty`);
	};
	const [ca, namespace] = await Promise.all([
		read("ca.crt"),
		read("namespace"),
		read("token"),
	]);
	const section = (name: string, fields = {}) => ({
		file: join(directory, name),
		at: "",
		fields,
	});
	checkAuthority(section("ca.crt"), "", ca);
	return {
		server: new URL(origin),
		ca,
		insecureSkipTlsVerify: false,
		disableCompression: false,
		headers: {},
		namespace,
		credentials: await credentialsOf(
			section("token", { tokenFile: "token" }),
			sources,
		),
	};
}
