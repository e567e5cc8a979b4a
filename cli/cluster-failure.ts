import {
	type ErrorCode,
	FairleadError,
	isFairleadError,
} from "../operator/errors.ts";

const other = "give another with --kubeconfig or --context";

/** What the person at the command line can do, by what went wrong with the API server. */
const remedies: Partial<Record<ErrorCode, { what: string; do: string }>> = {
	KubeUnauthorized: {
		what: "does not accept the credentials given",
		do: "renew those of the kubeconfig, or give another with --kubeconfig or --context",
	},
	KubeForbidden: {
		what: "does not permit it",
		do: "ask whoever manages the cluster for the right, or use another user's --kubeconfig or --context",
	},
	KubeUnreachable: {
		what: "cannot be reached",
		do: `see that the API server runs there, or ${other}`,
	},
	KubeBadAnswer: {
		what: "does not answer as an API server does",
		do: `correct the server of the kubeconfig, or ${other}`,
	},
	KubeTooManyRequests: {
		what: "asks to slow down",
		do: "try again in a moment",
	},
	KubeServerError: {
		what: "failed",
		do: "try again; the API server's own log says why",
	},
};

/** The same error in a line that names the server and says what to do; others as they are. */
export function clusterFailure(error: unknown, server: string): unknown {
	if (!isFairleadError(error)) return error;
	const remedy = remedies[error.code];
	if (!remedy) return error;
	const named = error.message.includes(server);
	return new FairleadError(
		error.code,
		`${named ? "" : `${server} ${remedy.what}: `}${error.message}; ${remedy.do}`,
		{ cause: error },
	);
}
