# One image for every process; docker-compose.yml says which it runs.

FROM python:3.11-slim-bookworm AS build
COPY requirements.txt .
RUN python -m venv /opt/hookline \
 && /opt/hookline/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="HookLine" \
      org.opencontainers.image.description="A webhook delivery service that companies run themselves."
RUN groupadd --gid 10001 hookline \
 && useradd --uid 10001 --gid hookline --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hookline \
 && install --directory --mode 0700 --owner hookline --group hookline /var/lib/hookline
COPY --from=build /opt/hookline /opt/hookline
COPY . /srv/hookline
WORKDIR /srv/hookline
ENV PATH=/opt/hookline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HL_DATA_DIR=/var/lib/hookline
USER hookline
VOLUME /var/lib/hookline
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('HL_PORT', '8080') + '/healthz', timeout=4)"]
CMD ["python", "manage.py", "serve"]
