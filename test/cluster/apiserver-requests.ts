import { crdRows } from "./apiserver-crd-requests.ts";
import { kindRows } from "./apiserver-kind-requests.ts";
import { objectRows } from "./apiserver-object-requests.ts";
import { serviceRows } from "./apiserver-service-requests.ts";
import type { Row } from "./apiserver-step.ts";

/** Every request that is sent to both servers. */
export const rows: Row[] = [
	...serviceRows,
	...objectRows,
	...kindRows,
	...crdRows,
];
