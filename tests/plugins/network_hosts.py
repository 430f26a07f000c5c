"""Several hosts on one machine, each cut off from the others on request.

Where network namespaces can be made, each host is one, with an address of its own, a link to a
bridge, and nothing that leads out of them. Elsewhere the hosts are processes that reach each other
through proxies.
"""

import ctypes
import datetime
import ipaddress
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from frozen_proxy import FreezableProxy
from postgres_server import HOSTS_NETWORK, Server
from sender_process import HoldingFakeSendGrid, SenderProject

CLONE_NEWNET = 0x40000000
HOLD = "echo; exec cat"  # until its input is closed, at the latest by the end of this process


def find_obstacle() -> str:
    """Return why no network namespace can be made here; ``""`` if it can."""
    if os.geteuid() != 0:
        return "only root can make them"
    for program in ("ip", "unshare", "nsenter"):
        if shutil.which(program) is None:
            return f"there is no program {program}"
    link = "ip link add veth-a type veth peer name veth-b && ip link add bridge-a type bridge"
    tried = subprocess.run(
        ["unshare", "--net", "sh", "-c", link], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip() if tried.returncode else ""


class TlsFakeSendGrid(HoldingFakeSendGrid):
    """The same with TLS, without which the client talks to no other host.

    Args:
        host: the address that it listens on.
        certificate: where its certificate is put, and its key beside it.
    """

    def __init__(self, host: str, certificate: Path) -> None:
        super().__init__(host)
        write_certificate(host, certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:")


def write_certificate(address: str, path: Path) -> None:
    """Write a self-signed certificate of an address, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(san, critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def enter_namespace(path: Path) -> None:
    """Move this thread into a network namespace: the sockets that it makes belong there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open() as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def prepare_host(namespace: Path | None, environment: Mapping[str, str]) -> None:
    """Move this process to a host: its network and environment."""
    os.environ.update(environment)
    if namespace:
        enter_namespace(namespace)


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the network.

    Attributes:
        project: the project, as commands on this host are run.
        address: its address.
        cut: cuts it off; packets are lost, and no connection is closed.
        connect: connects it again.
    """

    project: SenderProject
    address: str
    cut: Callable[[], object]
    connect: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Network:
    """Hosts that reach each other.

    Attributes:
        hosts: by name.
        double: the provider.
        outside: runs functions of readers, who are on the same network.
    """

    hosts: Mapping[str, Host]
    double: HoldingFakeSendGrid
    outside: ThreadPoolExecutor


@dataclass
class _Namespace:
    """A network namespace that ends with this process at the latest, whatever happens to it."""

    holder: "subprocess.Popen[bytes]" = field(init=False)

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        command = ["unshare", "--net", "sh", "-c", HOLD]
        self.holder = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        assert self.holder.stdout
        self.holder.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self.holder.communicate()

    @property
    def path(self) -> Path:
        return Path(f"/proc/{self.holder.pid}/ns/net")

    def run(self, *lines: str) -> None:
        """Run commands of ``ip`` in it."""
        subprocess.run(
            ["nsenter", f"--net={self.path}", "ip", "-batch", "-"],
            input="\n".join(lines), text=True, check=True,
        )  # fmt: skip

    def thread(self) -> ThreadPoolExecutor:
        """Return a thread whose sockets belong to it."""
        return ThreadPoolExecutor(1, initializer=enter_namespace, initargs=(self.path,))


@contextmanager
def namespaces(
    sender_project: SenderProject, server: Server, names: tuple[str, ...]
) -> Iterator[Network]:
    """Make a network of namespaces: those named, the database's, the provider's, and a bridge."""
    network = ipaddress.ip_network(HOSTS_NETWORK)
    length = network.prefixlen
    outside, *rest = (str(address) for address in network.hosts())
    addresses = dict(zip(("database", "provider", *names), rest, strict=False))
    with ExitStack() as stack:
        switch = stack.enter_context(_Namespace())
        switch.run(
            "link add lan type bridge", "link set lan up", f"addr add {outside}/{length} dev lan"
        )
        spaces = {name: stack.enter_context(_Namespace()) for name in addresses}
        switch.run(*(
            line
            for name, space in spaces.items()
            for line in (
                f"link add {name} type veth peer name eth0 netns {space.holder.pid}",
                f"link set {name} master lan up",
            )
        ))  # fmt: skip
        for name, space in spaces.items():
            address = f"{addresses[name]}/{length}"
            space.run("link set lo up", f"addr add {address} dev eth0", "link set eth0 up")
        server.stop()
        stack.callback(server.start)
        server.start(spaces["database"].path, addresses["database"])
        stack.callback(server.stop)
        certificate = sender_project.folder.parent / "provider.pem"
        with spaces["provider"].thread() as thread:
            make = partial(TlsFakeSendGrid, addresses["provider"], certificate)
            double = stack.enter_context(thread.submit(make).result())
        environment = {"SSL_CERT_FILE": str(certificate)}
        url = sender_project.url.partition("?")[0].replace("@", f"@{addresses['database']}")
        hosts = {
            name: Host(
                SenderProject(
                    sender_project.folder, double, url, sender_project.command,
                    partial(prepare_host, space.path, environment),
                ),
                addresses[name],
                partial(switch.run, f"link set {name} down"),
                partial(switch.run, f"link set {name} up"),
            )
            for name, space in spaces.items()
        }  # fmt: skip
        yield Network(hosts, double, stack.enter_context(switch.thread()))


@contextmanager
def processes(
    sender_project: SenderProject, server: Server, names: tuple[str, ...]
) -> Iterator[Network]:
    """Make a network of processes that reach each other through proxies only."""
    with ExitStack() as stack:
        double = stack.enter_context(HoldingFakeSendGrid())
        provider = str(double.url).rpartition("/")[2]
        host, port = provider.split(":")
        hosts = {}
        for name in ("database", *names):
            database = FreezableProxy(str(server.folder / ".s.PGSQL.5432"))
            api = FreezableProxy((host, int(port)))
            proxies = [stack.enter_context(proxy) for proxy in (database, api)]
            environment = {"SENDGRID_HOST": f"http://127.0.0.1:{api.port}"}
            url = sender_project.url.partition("?")[0].replace("@", f"@127.0.0.1:{database.port}")
            hosts[name] = Host(
                SenderProject(
                    sender_project.folder, double, url, sender_project.command,
                    partial(prepare_host, None, environment),
                ),
                "127.0.0.1",
                partial(_call_all, [proxy.freeze for proxy in proxies]),
                partial(_call_all, [proxy.thaw for proxy in proxies]),
            )  # fmt: skip
        yield Network(hosts, double, stack.enter_context(ThreadPoolExecutor(1)))


def _call_all(functions: list[Callable[[], None]]) -> None:
    for function in functions:
        function()
