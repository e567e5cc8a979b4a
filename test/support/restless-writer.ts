import { text } from "node:stream/consumers";
import { ownNamespace } from "../../operator/kernel/namespaces.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Frontend,
	frontendKey,
} from "../../operator/model/rules/program.ts";

/**
 * A process that writes all rules anew, one full write after the other.
 *
 * Argument: how often. Standard input: the program's frontends as JSON.
 */
const frontends = JSON.parse(await text(process.stdin)) as Frontend[];
const program = {
	frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
	held: new Map(),
	podCidrs: [],
	masqueradeAll: false,
};
const backend = new NftablesBackend(ownNamespace);
for (let times = Number(process.argv[2]); times > 0; times--)
	backend.replace(program);
backend.close();
