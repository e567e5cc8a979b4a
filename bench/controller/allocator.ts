import { Allocator } from "../../operator/model/addresses/allocator.ts";
import {
	arrangePools,
	compilePool,
} from "../../operator/model/addresses/pool.ts";
import { readRequest } from "../../operator/model/addresses/request.ts";
import { benchService, className } from "./cluster.ts";

/** Milliseconds to fill a /16 one Service at a time, and microseconds to be told that it is full. */
export function allocatorFigures(): { fillMs: number; failUs: number } {
	const { pools } = arrangePools([
		compilePool({
			metadata: { name: "p", uid: "p" },
			spec: { addresses: ["10.0.0.0/16"] },
		}),
	]);
	const requests = Array.from({ length: 65_536 + 10_000 }, (_, index) => {
		const service = benchService(`s${index}`, `fairlead.dev/${className}`);
		service.metadata.uid = `uid-${index}`;
		service.spec.ipFamilies = ["IPv4"];
		const read = readRequest(service, { className, namespaceLabels: {} });
		if (!read.ok) throw new Error("the request cannot be read");
		return read.request;
	});
	const allocator = new Allocator(pools);
	const began = performance.now();
	for (const request of requests.slice(0, 65_536)) allocator.allocate(request);
	const filled = performance.now();
	for (const request of requests.slice(65_536)) allocator.allocate(request);
	return {
		fillMs: filled - began,
		failUs: ((performance.now() - filled) * 1000) / 10_000,
	};
}
