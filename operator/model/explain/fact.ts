/** Verbs that what to do begins with in messages, which say first what is so: `there is no AddressPool; create one`. */
const verbs = [
	...["add", "annotate", "apply", "ask", "change", "choose", "close"],
	...["correct", "create", "delete", "free", "give", "grant", "install"],
	...["leave", "let", "list", "look", "make", "name", "put", "recreate"],
	...["remove", "rename", "see", "set", "start", "stop", "swap", "try"],
	...["turn", "use", "wait", "write"],
];
const whatToDo = new RegExp(
	`(?:; (?:${verbs.join("|")})\\b|\\. [A-Z]).*$`,
	"s",
);
/** Who is asked and what for are two things; the line of the step has both. */
const stillToDo = /, and (?:one )?has yet to .*$/s;

/** What a message says is so, in one breath; what can be done about it is left to the rest of an explanation. */
export function factOf(message: string): string {
	return message.replace(whatToDo, "").replace(stillToDo, "");
}
