"""What a pod needs to reach a Service by its name: kube-proxy and CoreDNS, on the node itself.

Only for tests that install Slicewire as pods. Network policies are not enforced: no CNI plugin here does.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.daemons import Daemon, wait
from tests.cluster.places import DOMAIN, NODE, NODE_ADDRESS, Cache, Home


@contextmanager
def services(cache: Cache, home: Home) -> Iterator[None]:
    """While it lasts; nothing of it is left in the kernel. Raises `CannotRun`."""
    proxy, names = Daemon("kube-proxy", home.logs), Daemon("coredns", home.logs)
    command = [str(cache.binaries / proxy.name), "--proxy-mode=nftables"]
    try:
        proxy.start([*command, *_proxy(home)], _environ(cache))
        wait("kube-proxy has synced", lambda: _says(proxy, "SyncProxyRules"), proxy)
        names.start([str(cache.binaries / names.name), "-conf", _corefile(home)])
        wait("CoreDNS answers", lambda: _says(names, "CoreDNS-"), names)
        yield
    finally:
        names.stop()
        proxy.stop()
        subprocess.run([*command, "--cleanup"], env=_environ(cache), capture_output=True, check=False)


def _says(daemon: Daemon, words: str) -> bool:
    return words in daemon.log.read_text(errors="replace")


def _environ(cache: Cache) -> dict[str, str]:
    """kube-proxy runs `nft`."""
    programs, libraries = cache.debian / "usr/sbin", cache.debian / "usr/lib/x86_64-linux-gnu"
    return {"PATH": f"{programs}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(libraries)}


def _proxy(home: Home) -> tuple[str, ...]:
    return (
        f"--kubeconfig={home.root / 'proxy.kubeconfig'}",
        f"--hostname-override={NODE}",
        "--healthz-bind-address=127.0.0.1:20256",
        "--metrics-bind-address=127.0.0.1:20249",
        "--v=2",  # so that it says when it has synced
        *(f"--conntrack-{each}=0" for each in ("max-per-core", "min")),  # the machine's own stays
        *(f"--conntrack-tcp-timeout-{each}=0s" for each in ("established", "close-wait")),
    )


def _corefile(home: Home) -> str:
    """It reads Services as an administrator; a cluster that lives gives it an account of its own."""
    path = home.root / "Corefile"
    path.write_text(
        f".:53 {{\n  bind {NODE_ADDRESS}\n  errors\n"
        f"  kubernetes {DOMAIN} in-addr.arpa {{\n    kubeconfig {home.kubeconfig}\n  }}\n}}\n"
    )
    return str(path)
