# One Beam file with its pipeline's folder, for the launcher and the workers alike.
ARG BASE
FROM ${BASE}
WORKDIR /template
# Before the rest, so that what it installs is kept while only the code changes. The glob: it need not be there.
COPY pipeline.yaml requirements.tx[t] ./
RUN if [ -f requirements.txt ]; then pip install --no-cache-dir -r requirements.txt && pip check; fi
COPY . .
RUN if [ -f setup.py ]; then pip install --no-cache-dir --no-deps . && pip check; fi
ARG MAIN
ARG BESIDE
# Workers import what lies beside the file, as the launcher does.
ENV PYTHONPATH=/template/${BESIDE} FLEX_TEMPLATE_PYTHON_PY_FILE=/template/${MAIN}
ENTRYPOINT ["/opt/apache/beam/boot"]
