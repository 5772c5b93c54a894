# What all Beam steps share: Beam itself, for workers, and the launcher of Flex Templates.
ARG BEAM
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:latest AS launcher
FROM apache/beam_python3.11_sdk:${BEAM}
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
