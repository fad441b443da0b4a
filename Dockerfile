# The server's image: locked requirements and this repository's packages; no build tool, no test.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/bootstrap.txt requirements/server.txt requirements/
RUN python -m venv tools \
    && tools/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt \
    && python -m venv --without-pip /opt/padan \
    && tools/bin/uv pip install --python /opt/padan/bin/python --no-cache --link-mode copy \
        --compile-bytecode --require-hashes -r requirements/server.txt
COPY protos/gen protos/gen
COPY server server
# Without isolation the build uses the hashed backend from above and fetches nothing.
RUN tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels \
        ./protos/gen ./server \
    && tools/bin/uv pip install --python /opt/padan/bin/python --no-cache --link-mode copy \
        --compile-bytecode --no-deps wheels/*.whl

FROM python:3.11-slim
COPY --from=build /opt/padan /opt/padan
# A number, so that an orchestrator can see that it is not root. The root file system may be
# read-only: what is written goes to the volume and to /tmp.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/padan
ENV PATH=/opt/padan/bin:$PATH \
    PADAN_DATA_DIR=/var/lib/padan \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME ["/var/lib/padan"]
WORKDIR /var/lib/padan
USER 65532:65532
EXPOSE 8443
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
    CMD ["padan-server", "healthcheck"]
ENTRYPOINT ["padan-server"]
CMD ["serve"]
