/** Kubernetes metadata as it stands on the wire: plain JSON, times as RFC 3339 strings, unknown fields untouched. */
export interface ObjectMeta {
	name: string;
	namespace?: string;
	/** What a name was made from. */
	generateName?: string;
	uid?: string;
	resourceVersion?: string;
	generation?: number;
	creationTimestamp?: string;
	deletionTimestamp?: string;
	deletionGracePeriodSeconds?: number;
	labels?: Record<string, string>;
	annotations?: Record<string, string>;
	finalizers?: string[];
	ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
	apiVersion: string;
	kind: string;
	name: string;
	uid: string;
	/** At most one owner is the object's controller. */
	controller?: boolean;
	blockOwnerDeletion?: boolean;
}

export interface KubeObject {
	apiVersion?: string;
	kind?: string;
	metadata: ObjectMeta;
}

/** metav1.Condition. */
export interface Condition {
	type: string;
	status: "True" | "False" | "Unknown";
	reason: string;
	message: string;
	lastTransitionTime: string;
	observedGeneration?: number;
}

/** `namespace/name`, or `name` for a cluster-scoped object: the key of caches and queues. */
export function objectKey(object: KubeObject): string {
	const { namespace, name } = object.metadata;
	return namespace ? `${namespace}/${name}` : name;
}
