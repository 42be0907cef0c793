# Exports the flow's estimator to ONNX and checks it on TensorRT. This file was never built: it was written on a machine
# without a GPU. It is no server: the estimator sees whole texts, and the server does not use it.
#
#   docker build -f docker/tensorrt.Dockerfile -t rtserver-tensorrt .
#   docker run --rm --gpus all -v /models/Fun-CosyVoice3-0.5B:/model:ro -v "$PWD":/out rtserver-tensorrt
#
# It is apart from the server, because TensorRT and vLLM want different versions of CUDA's libraries.
FROM nvcr.io/nvidia/tensorrt:25.08-py3

WORKDIR /app
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cosyvoice cosyvoice
COPY rtserver rtserver
# PyTorch for the CPU does the export; onnxruntime-gpu has the providers of TensorRT and CUDA.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
    && pip install --no-cache-dir onnx ml_dtypes onnxruntime-gpu numpy safetensors PyYAML transformers

ENTRYPOINT ["python", "-m", "cosyvoice.flow.export_estimator", "/model", "-o", "/out/estimator.onnx"]
CMD ["--providers", "tensorrt", "cuda", "cpu"]
