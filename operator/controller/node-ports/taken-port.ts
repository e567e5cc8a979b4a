import { isFairleadError } from "../../errors.ts";

/**
 * The NodePort that the API server says somebody else has; undefined for any other error. Source: k8s.io/kubernetes,
 * pkg/registry/core/service/portallocator, ErrAllocated, as a field error of spec.ports[i].nodePort.
 */
export function takenPort(error: unknown): number | undefined {
	if (!isFairleadError(error, "KubeInvalid")) return undefined;
	const [, port] =
		/odePort: Invalid value: (\d+): provided port is already allocated/.exec(
			error.message,
		) ?? [];
	return port === undefined ? undefined : Number(port);
}
