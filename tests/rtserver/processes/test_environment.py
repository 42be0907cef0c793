"""What children learn of the server's environment."""

from __future__ import annotations

from rtserver.processes.environment import child_environment


def test_a_child_gets_what_its_libraries_need_and_no_secrets() -> None:
    """Paths, language and settings of calculation pass; keys do not, whatever program they are for."""
    kept = {"PATH": "/bin", "LC_ALL": "C.UTF-8", "VLLM_CPU_KVCACHE_SPACE": "2", "TMPDIR": "/t", "CUDA_HOME": "/cuda"}
    kept |= {"CPATH": "/python/include", "FLASHINFER_WORKSPACE_BASE": "/cache"}  # for what compiles on a GPU
    secret = {
        *("RTSERVER_API_KEY", "VLLM_API_KEY", "AWS_SECRET_ACCESS_KEY", "TORCH_HUB_TOKEN", "DATABASE_URL", "HF_TOKEN"),
        *("SSH_AUTH_SOCK", "http_proxy"),
    }
    environment = kept | dict.fromkeys(secret, "private") | {"OMP_NUM_THREADS": "7"}
    assert child_environment(environment, 3) == kept | {"OMP_NUM_THREADS": "3", "PYTHONUNBUFFERED": "1"}
