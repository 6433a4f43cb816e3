# The control plane, and the GPU hosts' worker: the same image. Runtimes are installed at run time,
# each version into an environment of its own under /var/lib/jouleboard.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl git tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 50000 airflow \
    && install -d -o airflow -g airflow \
        /var/lib/jouleboard /var/lib/jouleboard/raw /var/lib/jouleboard/published /mnt/raw /opt/airflow /opt/airflow/logs

WORKDIR /opt/jouleboard
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY benchmark_tasks benchmark_tasks
COPY expectations expectations
RUN pip install --no-cache-dir -c constraints.txt uv \
    && uv pip install --system --no-cache -c constraints.txt -e '.[scale-out,s3]'
COPY dbt_project dbt_project
COPY dags dags
COPY plugins plugins

USER airflow
ENV AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/opt/jouleboard/plugins \
    JOULEBOARD_HOME=/var/lib/jouleboard
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]
