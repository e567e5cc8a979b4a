import { libc } from "../../operator/kernel/libc.ts";
import { ownNamespace } from "../../operator/kernel/namespaces.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { diff } from "../../operator/model/rules/program-change.ts";
import { dyingStates } from "./dying-states.ts";

/**
 * A process that writes the states of `dyingStates`, the first and the last as a whole and the others as changes, and kills
 * itself before or after the system call that sends the netlink datagram of the given number.
 *
 * Arguments: `before` or `after`; that number from 1 on; for `dyingStates`, how many; how many bytes a datagram may have, as many
 * as it likes if absent. Ends with 0 when there are not that many.
 */
const [when, number, many, bytes] = process.argv.slice(2);
const calls = libc();
const send = calls.send.bind(calls);
let sent = 0;
calls.send = (...args) => {
	sent++;
	const dies = sent === Number(number);
	if (dies && when === "before") die();
	const result = send(...args);
	if (dies) die();
	return result;
};

function die(): never {
	process.kill(process.pid, "SIGKILL");
	// The signal is on its way to this very thread: nothing after it may be done.
	for (;;);
}

const backend = new NftablesBackend(
	ownNamespace,
	bytes === undefined ? {} : { bufferBytes: Number(bytes) },
);
let [state, ...others] = dyingStates(
	many === undefined ? undefined : Number(many),
);
if (!state) throw new Error("there is no state");
backend.replace(state);
for (const next of others) {
	backend.apply(diff(state, next));
	state = next;
}
backend.replace(state);
backend.close();
