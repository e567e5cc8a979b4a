import type { PodSpec, Protocol } from "../operator/api/core.ts";
import type { KubeObject, ObjectMeta } from "../operator/api/meta.ts";

/** The parts of apps/v1 and core/v1 that only the sandbox's own controllers read. */

export interface LabelSelector {
	matchLabels?: Record<string, string>;
	matchExpressions?: {
		key: string;
		operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
		values?: string[];
	}[];
}

export interface PodTemplate {
	metadata?: Partial<ObjectMeta>;
	spec: PodSpec;
}

interface WorkloadCondition {
	type: string;
	status: "True" | "False" | "Unknown";
	reason?: string;
	message?: string;
	lastTransitionTime?: string;
	lastUpdateTime?: string;
}

export interface ReplicaSet extends KubeObject {
	spec: {
		replicas?: number;
		minReadySeconds?: number;
		selector: LabelSelector;
		template: PodTemplate;
	};
	status?: {
		replicas: number;
		fullyLabeledReplicas?: number;
		readyReplicas?: number;
		availableReplicas?: number;
		terminatingReplicas?: number;
		observedGeneration?: number;
		conditions?: WorkloadCondition[];
	};
}

export interface Deployment extends KubeObject {
	spec: {
		replicas?: number;
		paused?: boolean;
		minReadySeconds?: number;
		progressDeadlineSeconds?: number;
		revisionHistoryLimit?: number;
		selector: LabelSelector;
		template: PodTemplate;
		strategy?: {
			type?: "Recreate" | "RollingUpdate";
			rollingUpdate?: {
				maxSurge?: number | string;
				maxUnavailable?: number | string;
			};
		};
	};
	status?: {
		observedGeneration?: number;
		replicas?: number;
		updatedReplicas?: number;
		readyReplicas?: number;
		availableReplicas?: number;
		unavailableReplicas?: number;
		terminatingReplicas?: number;
		collisionCount?: number;
		conditions?: WorkloadCondition[];
	};
}

export interface ConfigMap extends KubeObject {
	data?: Record<string, string>;
	/** Base64. */
	binaryData?: Record<string, string>;
}

export interface EndpointAddress {
	ip: string;
	hostname?: string;
	nodeName?: string;
	targetRef?: ObjectReference;
}

export interface ObjectReference {
	kind: string;
	namespace?: string;
	name: string;
	uid?: string;
}

export interface EndpointSubset {
	addresses?: EndpointAddress[];
	notReadyAddresses?: EndpointAddress[];
	ports?: {
		name?: string;
		port: number;
		protocol?: Protocol;
		appProtocol?: string;
	}[];
}

/** core/v1 Endpoints: what EndpointSlices were before. */
export interface Endpoints extends KubeObject {
	subsets?: EndpointSubset[];
}
