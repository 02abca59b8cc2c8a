# One image for every process; docker-compose.yml says which command makes it which.

# --- The console's player, from npm -----------------------------------------------
FROM node:22-slim AS npm
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-fund --no-audit

# --- The virtual environment ------------------------------------------------------
# The Python that the tests run on.
FROM python:3.11-slim AS build
# requirements-otel.txt has what sends traces, too.
ARG REQUIREMENTS=requirements.txt
COPY requirements.txt requirements-otel.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --quiet \
        --requirement "${REQUIREMENTS}"

# --- What runs --------------------------------------------------------------------
FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ACSSTREAM_DATA_DIR=/data
# pg_dump and pg_restore, for `manage.py backup` and `restore`.
RUN apt-get update --quiet --quiet \
    && apt-get install --quiet --quiet --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
# A volume takes its owner from the folder it covers.
RUN useradd --system --uid 10001 --no-create-home acsstream \
    && install --directory --owner acsstream /data
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=npm /app/node_modules ./node_modules
COPY . .
RUN SECRET_KEY=only-to-collect-static-files \
    python manage.py collectstatic --no-input --verbosity 0
USER acsstream
VOLUME /data
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "deploy/healthcheck.py", "8000"]
CMD ["python", "manage.py", "web", "--host", "0.0.0.0", "--port", "8000"]
