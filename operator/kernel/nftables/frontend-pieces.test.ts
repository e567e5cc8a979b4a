import fc from "fast-check";
import type { Frontend } from "../../model/rules/program.ts";
import { inPieces } from "./frontend-pieces.ts";

const withEndpoints = (endpoints: number, port: number): Frontend => ({
	kind: "ClusterIP",
	family: "IPv4",
	address: "10.96.0.1",
	protocol: "TCP",
	port,
	service: "default/web",
	portName: "",
	endpoints: Array.from({ length: endpoints }, () => ({
		address: "10.244.1.2",
		port: 8080,
		local: true,
	})),
	whenEmpty: "reject",
	masquerade: "always",
});

test("pieces are the same changes in the same order, none is empty, and none is too large but for a frontend that is", () => {
	const endpoints = fc.oneof(fc.nat(50), fc.integer({ min: 400, max: 2_000 }));
	fc.assert(
		fc.property(fc.array(endpoints, { maxLength: 60 }), (sizes) => {
			const changes = sizes.map((size, port) => ({
				after: withEndpoints(size, port),
			}));
			const pieces = [...inPieces(changes)];
			expect(pieces.flat()).toEqual(changes);
			for (const piece of pieces) {
				const elements = piece.reduce(
					(sum, { after }) => sum + 4 + (after?.endpoints.length ?? 0),
					0,
				);
				expect(piece.length).toBeGreaterThan(0);
				if (piece.length > 1) expect(elements).toBeLessThanOrEqual(1_024);
			}
		}),
	);
});
