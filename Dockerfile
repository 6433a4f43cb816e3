# Two images from one file:
#
#   control-plane   Airflow, dbt, Great Expectations, the board
#   worker          the same, and what runtimes need on a host that measures: NUMA library and compilers
#
# Runtimes themselves are installed at run time, each version into an environment of its own below
# /var/lib/jouleboard. docs/operations.md says how to pin the base image by its digest.
ARG BASE_IMAGE=python:3.11.14-slim-bookworm

FROM ${BASE_IMAGE} AS control-plane
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 50000 airflow \
    && install -d -o airflow -g airflow \
        /var/lib/jouleboard /var/lib/jouleboard/raw /var/lib/jouleboard/published /mnt/raw /opt/airflow /opt/airflow/logs

# First what changes seldom: a new version of our own code is a layer of a few megabytes. The user of the
# image cannot write byte code, so it is compiled here, or every start would compile it again. Packages' own
# tests are 100 MB that nothing imports.
WORKDIR /opt/jouleboard
COPY pyproject.toml constraints.txt ./
RUN pip install --no-cache-dir --no-compile -c constraints.txt uv \
    && uv pip install --system --no-cache --compile-bytecode -c constraints.txt \
        -r pyproject.toml --extra scale-out --extra s3 \
    && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && rm -rf pandas/tests pyarrow/tests pyarrow/include \
    && find scipy sklearn -type d -name tests -prune -exec rm -rf {} +

COPY README.md LICENSE ./
COPY benchmark_tasks benchmark_tasks
COPY expectations expectations
COPY dbt_project dbt_project
COPY dags dags
COPY plugins plugins
RUN uv pip install --system --no-cache --no-deps -e . \
    && python -m compileall -q benchmark_tasks expectations plugins dags

# The commit stands in records and publications; the image has no history to read it from.
ARG GIT_COMMIT=
LABEL org.opencontainers.image.title=jouleboard \
      org.opencontainers.image.revision=${GIT_COMMIT}
USER airflow
ENV AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/opt/jouleboard/plugins \
    JOULEBOARD_HOME=/var/lib/jouleboard \
    JOULEBOARD_GIT_COMMIT=${GIT_COMMIT}
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]

FROM control-plane AS worker
# vLLM's CPU build loads libnuma; torch.compile and Triton compile kernels on the host that measures.
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ gcc libc6-dev libnuma1 \
    && rm -rf /var/lib/apt/lists/*
USER airflow
# The installers' cache lies on the volume of the environments, which can then share its files.
ENV UV_CACHE_DIR=/var/lib/jouleboard/cache/uv \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
