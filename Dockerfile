# The one base of both stages. Pin it where you build: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:<digest>
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# None of the production dependencies has an install script; one that gets one some day is not run.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE} AS service
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="campaign-manager-scim" \
      org.opencontainers.image.description="SCIM 2.0 service through which Microsoft Entra ID provisions users and role groups into Campaign Manager" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
# The modes of a checkout depend on somebody's umask, and the user below must be able to read. Needs BuildKit.
COPY --chmod=755 package.json ./
COPY --chmod=755 migrations ./migrations
COPY --chmod=755 src ./src
# The option also reaches what is run in the container by hand, and by a chart that names the command itself.
ENV NODE_ENV=production \
    NODE_OPTIONS=--disable-proto=delete \
    HOST=0.0.0.0 \
    PORT=8080
# A number, so that Kubernetes can tell that it is not root. Nothing is written: the root file system may be read-only.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
# No shell in between: Node is process 1 and gets the signal, which the service handles.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["node", "src/main.ts", "healthcheck"]
