import { FairleadError } from "../operator/errors.ts";
import { onPort } from "./free-port.ts";

const taken =
	(...ports: number[]) =>
	async (port: number) => {
		if (ports.includes(port))
			throw new FairleadError("ListenFailed", `${port} is taken`);
		return port;
	};

describe("a port of the sandbox", () => {
	it("is the usual one while that is free", async () => {
		expect(await onPort(undefined, 6443, taken())).toBe(6443);
	});

	it("is the next free one when the usual one is taken", async () => {
		expect(await onPort(undefined, 6443, taken(6443, 6444))).toBe(6445);
	});

	it("is any free one when all near the usual one are taken", async () => {
		expect(
			await onPort(
				undefined,
				1,
				taken(...Array.from({ length: 20 }, (_, at) => at + 1)),
			),
		).toBe(0);
	});

	it("is an error when it was given and is taken", async () => {
		await expect(onPort(7000, 6443, taken(7000))).rejects.toThrow(
			"7000 is taken",
		);
	});

	it("passes on what is not about the port", async () => {
		await expect(
			onPort(undefined, 6443, async () => {
				throw new Error("disk");
			}),
		).rejects.toThrow("disk");
	});
});
