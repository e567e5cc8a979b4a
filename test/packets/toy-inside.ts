// What the tests run inside: a network with two pods, an answer on every listener, and a process that would stay.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import { placesOf } from "../../sandbox/network/exec.ts";
import { receiveStart, serverOn } from "../../sandbox/network/inside.ts";

const { start, listeners, report, stopAsked } = await receiveStart(process);
const folder = mkdtempSync(join(tmpdir(), "fairlead-inside-"));
const network = createNetwork({ mode: "netns", folder });
const node = network.addNode(1);
const pod = node.addPod({ hostNetwork: false });
const container = pod.spawn(["sh", "-c", "sleep 98765 & exec sleep 98765"], {
	env: { PATH: "/usr/bin:/bin" },
	files: { "/etc/hostname": "toy" },
	stdin: false,
});
for (const [name, fd] of Object.entries(listeners))
	serverOn(fd).on("connection", (socket) => socket.end(`${name} is here`));
report({
	start,
	folder,
	places: placesOf(network, [node]),
	container: container.pid,
});
await stopAsked;
await network.close();
process.stdout.write("stopped cleanly\n");
process.exit(0);
