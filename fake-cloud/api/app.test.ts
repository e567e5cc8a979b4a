import { closeClouds, testCloud } from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

test.each(["/livez", "/readyz", "/metrics", "/"])(
	"GET %s answers without a token",
	async (path) => {
		const cloud = await testCloud();
		const response = await fetch(`${cloud.url}${path}`);
		expect([response.status, (await response.text()).length > 0]).toEqual([
			200,
			true,
		]);
	},
);

test("requests are counted by route and status", async () => {
	const cloud = await testCloud();
	await cloud.ask("GET", "/load_balancers/1");
	const metrics = await (await fetch(`${cloud.url}/metrics`)).text();
	expect(metrics).toContain(
		'fairlead_cloud_requests_total{method="GET",route="/load_balancers/:id",status="404"} 1',
	);
});
