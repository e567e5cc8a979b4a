import { type ErrorCode, errors, FairleadError } from "../operator/errors.ts";
import { clusterFailure } from "./cluster-failure.ts";

const server = "https://192.0.2.1:6443";
const told = (code: ErrorCode, message: string) =>
	(clusterFailure(new FairleadError(code, message), server) as Error).message;

describe("what is told of an API server that does not do as asked", () => {
	it.each<[ErrorCode, string, RegExp]>([
		[
			"KubeUnauthorized",
			"GET /api/v1/services: Unauthorized",
			/^https:\/\/192\.0\.2\.1:6443 does not accept the credentials given: GET \/api\/v1\/services: Unauthorized; renew .* --kubeconfig or --context$/,
		],
		[
			"KubeUnreachable",
			`GET /api/v1/services: no answer from ${server}: connect ECONNREFUSED 192.0.2.1:6443`,
			/^GET \/api\/v1\/services: no answer from https:.* ECONNREFUSED .*; see that the API server runs there, or give another/,
		],
		[
			"KubeForbidden",
			'GET /api/v1/services: services is forbidden: User "x" cannot list resource "services"',
			/^https:\/\/192\.0\.2\.1:6443 does not permit it: .*; ask whoever manages the cluster/,
		],
		[
			"KubeBadAnswer",
			"GET /api/v1/services: 200 but no Kubernetes answer: <p>hello",
			/^https:\/\/192\.0\.2\.1:6443 does not answer as an API server does: .*; correct the server/,
		],
		[
			"KubeServerError",
			"GET /api/v1/services: etcdserver: request timed out",
			/^https:\/\/192\.0\.2\.1:6443 failed: .*; try again/,
		],
	])("%s names the server and what to do", (code, message, expected) => {
		expect(told(code, message)).toMatch(expected);
	});

	it.each(
		(Object.keys(errors) as ErrorCode[]).filter(
			(code) => !code.startsWith("Kube"),
		),
	)("%s is no matter of the server's, and stays as it is", (code) => {
		expect(told(code, "as it is")).toBe("as it is");
	});
});
