import { at, pod, service } from "./test-samples.ts";
import { TriggerTimes } from "./trigger-times.ts";

test("the time is that of the earliest change since the last look", () => {
	const times = new TriggerTimes();
	const [a, b] = [pod("a", { ready: 10 }), pod("b", { ready: 20 })];
	// A Service seen for the first time: its endpoints follow from its creation.
	expect(times.next("web", service(), [])).toBe(at(0));
	expect(times.next("web", service(), [a, b])).toBe(at(10));
	expect(times.next("web", service(), [a, b])).toBeUndefined();
	expect(times.next("web", service(), [pod("a", { ready: 30 }), b])).toBe(
		at(30),
	);
	times.forget("web");
	expect(times.next("web", service(), [a])).toBe(at(0));
});
