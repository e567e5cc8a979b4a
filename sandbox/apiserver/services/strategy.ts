import { clone } from "../json.ts";
import { objectAt, stringAt } from "../access.ts";
import type { Strategy } from "../strategy.ts";
import type { ServiceAllocators } from "./allocate.ts";
import {
	alignClusterIPs,
	defaultService,
	dropTypeDependent,
	keepAllocated,
	warningsForService,
} from "./defaults.ts";
import { validateService } from "./validate.ts";
import { validateServiceStatus } from "./validate-status.ts";

/** Services of 1.37 (pkg/registry/core/service). */
export function serviceStrategy(allocators: ServiceAllocators): Strategy {
	return {
		createOnUpdate: true,
		returnsDeleted: true,
		fields: {
			"spec.clusterIP": (service) => stringAt(service, "spec", "clusterIP"),
			"spec.type": (service) => stringAt(service, "spec", "type"),
		},
		defaults: defaultService,
		allocate(service, old, dryRun) {
			if (old) keepAllocated(service, old);
			alignClusterIPs(service, old);
			return allocators.allocate(service, old, dryRun);
		},
		released: (service) => allocators.release(service),
		prepareForCreate(service) {
			service["status"] = { loadBalancer: {} };
		},
		prepareForUpdate(service, old) {
			service["status"] = clone(objectAt(old, "status"));
			dropTypeDependent(service, old);
		},
		prepareForStatus(service, old) {
			service["spec"] = clone(objectAt(old, "spec"));
		},
		validate: validateService,
		validateStatus: validateServiceStatus,
		warnings: (service) => warningsForService(service),
	};
}
