"""The proxies of docs/operations.md, with the very configurations of that page in front of a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
NAME = "tts.example.com"
# Debian's programs of servers are not always on the PATH of a user.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Setup:
    """What a proxy is run with."""

    # Holds everything of this proxy.
    folder: Path
    port: int
    # As `host:port`.
    server: str
    certificate: Path
    key: Path


def documented(language: str) -> str:
    """The configuration of this proxy on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Each of the changes must fit exactly once: what the page says is what runs."""
    for old, new in changes:
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    return text


def nginx(setup: Setup) -> list[str]:
    folder = setup.folder
    site = changed(
        documented("nginx"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{setup.port} ssl;"),
        ("/etc/ssl/tts.example.com.crt", str(setup.certificate)),
        ("/etc/ssl/tts.example.com.key", str(setup.key)),
        ("/var/log/nginx/speech.log", str(folder / "access.log")),
        ("server 127.0.0.1:8790;", f"server {setup.server};"),
    )
    (folder / "speech.conf").write_text(site)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""  # the folders of pytest are private
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\nclient_body_temp_path {folder}/body;\n{paths}include {folder}/speech.conf;\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def haproxy(setup: Setup) -> list[str]:
    pem = setup.folder / "both.pem"
    pem.write_text(setup.certificate.read_text() + setup.key.read_text())
    file = setup.folder / "haproxy.cfg"
    file.write_text(
        changed(
            documented("haproxy"),
            ("bind :443", f"bind 127.0.0.1:{setup.port}"),
            ("/etc/haproxy/tts.example.com.pem", str(pem)),
            ("server one 127.0.0.1:8790", f"server one {setup.server}"),
        )
    )
    return ["haproxy", "-db", "-f", str(file)]


def caddy(setup: Setup) -> list[str]:
    """Without the certificate that it would get from outside, and without its own port for administration."""
    file = setup.folder / "Caddyfile"
    site = changed(
        documented("caddy"),
        (
            "tts.example.com {",
            f"https://{NAME}:{setup.port} {{\n    bind 127.0.0.1\n    tls {setup.certificate} {setup.key}",
        ),
        ("reverse_proxy 127.0.0.1:8790", f"reverse_proxy {setup.server}"),
    )
    file.write_text("{\n    admin off\n    auto_https disable_redirects\n}\n" + site)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)]


PROXIES: dict[str, Callable[[Setup], list[str]]] = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy}


@dataclass(frozen=True)
class Proxied:
    """A proxy that runs, and how to reach it."""

    url: str
    trust: ssl.SSLContext

    @contextlib.asynccontextmanager
    async def client(self, address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
        """A client at this address of the machine, which knows the proxy by its name."""
        connector = aiohttp.TCPConnector(resolver=_ToThisMachine(), ssl=self.trust, local_addr=(address, 0))
        async with aiohttp.ClientSession(connector=connector) as http:
            yield http


class _ToThisMachine(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def proxied(name: str, server: str, folder: Path) -> AsyncIterator[Proxied]:
    """A proxy in front of the server at `host:port`, once it answers. It is stopped after the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    certificate, key = _certificate(folder)
    command = PROXIES[name](Setup(folder, port, server, certificate, key))
    program = shutil.which(command[0], path=_PATH)
    assert program is not None, command[0]
    output = (folder / "output").open("wb")
    with output:
        process = await asyncio.create_subprocess_exec(
            program, *command[1:], stdout=output, stderr=output, env={**os.environ, "HOME": str(folder)}
        )
    proxy = Proxied(f"https://{NAME}:{port}", ssl.create_default_context(cafile=str(certificate)))
    try:
        async with asyncio.timeout(30), proxy.client() as http:
            while not await _answers(http, proxy.url):
                assert process.returncode is None, (folder / "output").read_text()
                await asyncio.sleep(0.1)
        yield proxy
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientConnectionError):
        async with http.get(f"{url}/v1/live") as response:
            return response.status == 200
    return False


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "1", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
