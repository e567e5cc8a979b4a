# The image that helm/fairlead runs; docs/guides/install-with-helm.md says how to build it.
FROM node:26-slim AS build
WORKDIR /fairlead
COPY package.json package-lock.json .npmrc ./
# The pinned Nodes among the optional packages are for machines without one; the image has its own.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY cli cli
COPY operator operator
COPY sandbox sandbox
COPY fake-cloud fake-cloud
RUN node_modules/.bin/tsc -p tsconfig.build.json \
	&& npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
	&& rm -rf node_modules/node-linux-* node_modules/node-darwin-* node_modules/node-bin-* node_modules/.bin

FROM node:26-slim
# For agent --rules audit, which lists kube-proxy's rules; all else speaks to the kernel itself.
RUN apt-get update \
	&& apt-get install --yes --no-install-recommends iptables nftables \
	&& rm -rf /var/lib/apt/lists/*
WORKDIR /fairlead
ENV NODE_ENV=production
COPY --from=build /fairlead/package.json ./
COPY --from=build /fairlead/node_modules node_modules
COPY --from=build /fairlead/dist dist
COPY crds crds
USER 65532:65532
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=4", "/fairlead/dist/cli/main.js"]
