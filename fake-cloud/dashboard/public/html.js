import htm from "htm";
import { h } from "preact";

/** Text put into a template is text, never markup. */
export const html =
	/** @type {(strings: TemplateStringsArray, ...values: unknown[]) => import("preact").VNode<any>} */ (
		htm.bind(h)
	);
