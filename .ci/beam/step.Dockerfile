# One Beam file with its pipeline's folder, for the launcher and the workers alike.
ARG BASE
FROM ${BASE}
WORKDIR /template
# Before the rest, so that what it installs is kept while only the code changes. The glob: it need not be there.
COPY pipeline.yaml requirements.tx[t] ./
RUN if [ -f requirements.txt ]; then pip install --no-cache-dir -r requirements.txt; fi
COPY . .
RUN if [ -f setup.py ]; then pip install --no-cache-dir --no-deps .; fi && pip check
ARG MAIN
ENV PYTHONPATH=/template FLEX_TEMPLATE_PYTHON_PY_FILE=/template/${MAIN}
ENTRYPOINT ["/opt/apache/beam/boot"]
