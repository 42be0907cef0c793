# The server on an NVIDIA GPU. This file was never built: it was written on a machine without a GPU.
#
#   docker build -f docker/nvidia.Dockerfile -t rtserver-nvidia .
#   docker run --rm --gpus all --ipc=host -p 127.0.0.1:8790:8790 \
#       -v /models/Fun-CosyVoice3-0.5B:/model:ro -v rtserver-cache:/cache -e RTSERVER_API_KEY rtserver-nvidia
#
# The driver comes from the host, with NVIDIA's container toolkit; CUDA's libraries come with PyTorch. docs/gpu.md says
# how to share the host's MPS.
FROM python:3.12-slim-bookworm

# Triton compiles a small C file for each kernel when it is first used. Without a compiler the server goes on with plain
# PyTorch, which is slower. libopus: for the sound format Opus.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libopus0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cosyvoice cosyvoice
COPY rtserver rtserver
COPY clients/pyproject.toml clients/README.md clients/
COPY clients/rtclient clients/rtclient
RUN pip install --no-cache-dir ".[gpu]" ./clients

RUN useradd --create-home --uid 10001 rtserver && mkdir /cache && chown rtserver /cache
USER rtserver
# Prepared voices and models, measured costs, and what Triton and vLLM compile.
ENV XDG_CACHE_HOME=/cache TRITON_CACHE_DIR=/cache/triton VLLM_CACHE_ROOT=/cache/vllm
VOLUME /cache
EXPOSE 8790
# The first start exports the talker and compiles kernels.
HEALTHCHECK --start-period=5m CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8790/v1/health')"]
ENTRYPOINT ["rtserver", "serve", "--model", "/model", "--host", "0.0.0.0", "--port", "8790"]
