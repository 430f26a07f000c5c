# The server of a newsletter: docker build -t newsletter:VERSION .
#
# docs/how-to/deploy.md shows how to run it. The newsletter's folder is mounted at /srv/newsletter;
# secrets come from the environment of the running container, and none is in the image.

FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv /opt/newsletter
COPY scripts/install-locked requirements.lock requirements-dev.lock ./
# Of the development packages, only what PostgreSQL needs: its driver, and the workers' job queue.
RUN awk '/^[a-z0-9]/ { wanted = /^(asgiref|attrs|croniter|procrastinate|psycopg)/ } wanted' \
  requirements-dev.lock > postgres.lock \
  && ./install-locked /opt/newsletter/bin/python requirements.lock \
  && ./install-locked /opt/newsletter/bin/python postgres.lock
COPY pyproject.toml README.md LICENSE ./
COPY templates templates
COPY newsletter newsletter
# Build the wheel with the locked hatchling, and install it without resolving anything.
RUN /opt/newsletter/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
  && /opt/newsletter/bin/python -m pip install --no-deps dist/*.whl \
  && /opt/newsletter/bin/python -m pip check

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin newsletter \
  && install --directory --owner newsletter --group newsletter --mode 0700 /srv/newsletter
COPY --from=build /opt/newsletter /opt/newsletter
ENV PATH="/opt/newsletter/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/newsletter
VOLUME /srv/newsletter
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
ENTRYPOINT ["newsletter"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
