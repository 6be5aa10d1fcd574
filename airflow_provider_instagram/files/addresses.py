"""The IP addresses of public servers: our own tables, because Python's tables differ between versions."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class EmbeddedIPv4:
    """IPv6 addresses that contain an IPv4 address, to which a network may route them.

    :param network: The addresses.
    :param source: The document that defines them.
    :param inner: Reads the IPv4 address.
    """

    network: IPv6Network
    source: str
    inner: Callable[[int], int]


#: Networks without public servers, each with the document or the vendor that defines it.
NOT_PUBLIC_V4: Final = tuple(
    (IPv4Network(network), source)
    for network, source in (
        ("0.0.0.0/8", "RFC 1122: this network; Linux connects 0.0.0.0 to itself"),
        ("10.0.0.0/8", "RFC 1918: private"),
        ("100.64.0.0/10", "RFC 6598: carriers; Alibaba Cloud's metadata is 100.100.100.200"),
        ("127.0.0.0/8", "RFC 1122: loopback"),
        ("168.63.129.16/32", "Microsoft Azure: the host of a virtual machine"),
        ("169.254.0.0/16", "RFC 3927: link-local; the metadata of most clouds is 169.254.169.254"),
        ("172.16.0.0/12", "RFC 1918: private"),
        ("192.0.0.0/24", "RFC 6890: protocols; Oracle Cloud's metadata is 192.0.0.192"),
        ("192.0.2.0/24", "RFC 5737: documentation"),
        ("192.88.99.0/24", "RFC 7526: relays of 6to4, deprecated"),
        ("192.168.0.0/16", "RFC 1918: private"),
        ("198.18.0.0/15", "RFC 2544: benchmarks"),
        ("198.51.100.0/24", "RFC 5737: documentation"),
        ("203.0.113.0/24", "RFC 5737: documentation"),
        ("224.0.0.0/4", "RFC 5771: multicast"),
        ("240.0.0.0/4", "RFC 1112: reserved; RFC 919: broadcast is 255.255.255.255"),
    )
)
NOT_PUBLIC_V6: Final = tuple(
    (IPv6Network(network), source)
    for network, source in (
        ("::/96", "RFC 4291: unspecified, loopback, and IPv4-compatible addresses, deprecated"),
        ("::ffff:0:0:0/96", "RFC 2765: IPv4-translated addresses, deprecated"),
        ("64:ff9b:1::/48", "RFC 8215: translation to IPv4 inside one network"),
        ("100::/64", "RFC 6666: discarded"),
        ("2001::/23", "RFC 2928: protocols, among them Teredo (RFC 4380)"),
        ("2001:db8::/32", "RFC 3849: documentation"),
        ("3fff::/20", "RFC 9637: documentation"),
        ("5f00::/16", "RFC 9602: segment routing"),
        ("fc00::/7", "RFC 4193: private; the metadata of Amazon EC2 is fd00:ec2::254"),
        ("fe80::/10", "RFC 4291: link-local"),
        ("fec0::/10", "RFC 3879: site-local, deprecated"),
        ("ff00::/8", "RFC 4291: multicast"),
    )
)
#: The only IPv6 addresses that are assigned to servers so far. Source: IANA, IPv6 Address Space.
GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
LAST_32_BITS: Final = 0xFFFF_FFFF
#: Forms that are routed to the IPv4 address that they contain. They are checked before the table above.
EMBEDDED_IPV4: Final = (
    EmbeddedIPv4(IPv6Network("::ffff:0:0/96"), "RFC 4291: IPv4-mapped", lambda bits: bits & LAST_32_BITS),
    EmbeddedIPv4(IPv6Network("64:ff9b::/96"), "RFC 6052: NAT64", lambda bits: bits & LAST_32_BITS),
    EmbeddedIPv4(IPv6Network("2002::/16"), "RFC 3056: 6to4", lambda bits: bits >> 80 & LAST_32_BITS),
)
#: The beginning of the last 64 bits of an ISATAP address, in any network. Source: RFC 5214.
ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)


def is_public(ip: str) -> bool:
    """Return whether an address belongs to a public server.

    For an IPv6 address that contains an IPv4 address, the IPv4 address counts: a private server has several forms.

    :param ip: An IPv4 or IPv6 address, with or without a zone (``%eth0``).
    """
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    bits = int(address)
    for form in EMBEDDED_IPV4:
        if address in form.network:
            return _is_public_v4(IPv4Address(form.inner(bits)))
    if bits >> 32 & LAST_32_BITS in ISATAP and not _is_public_v4(IPv4Address(bits & LAST_32_BITS)):
        return False
    return _is_public_v6(address)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network, _ in NOT_PUBLIC_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    return address in GLOBAL_UNICAST_V6 and not any(address in network for network, _ in NOT_PUBLIC_V6)
