# The sandbox as an image, built from its wheel. Parsed in the tests of this repository, not built there:
#   pip wheel --no-deps --wheel-dir dist ./sandbox
#   docker build --tag instagram-sandbox --file deploy/sandbox.Dockerfile .
FROM python:3.12-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY dist/instagram_sandbox-*.whl /tmp/
RUN pip install --no-cache-dir /tmp/instagram_sandbox-*.whl

USER nobody
EXPOSE 8077
HEALTHCHECK --interval=2s --retries=30 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8077/_sandbox/health')"]
ENTRYPOINT ["instagram-sandbox", "--host", "0.0.0.0", "--port", "8077"]
