"""The IP addresses of public servers: what ``ipaddress`` calls global, without what only some versions of it know."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Final

#: Networks without public servers that ``ipaddress`` of some Python version calls global, each with its source.
NOT_PUBLIC_V4: Final = (
    IPv4Network("168.63.129.16/32"),  # Microsoft Azure: the host of a virtual machine
    IPv4Network("192.0.0.0/24"),  # RFC 6890: protocols; Oracle Cloud's metadata is 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # RFC 7526: relays of 6to4, deprecated
    IPv4Network("224.0.0.0/4"),  # RFC 5771: multicast
)
NOT_PUBLIC_V6: Final = (
    IPv6Network("2001::/23"),  # RFC 2928: protocols, among them Teredo (RFC 4380)
    IPv6Network("3fff::/20"),  # RFC 9637: documentation
)
#: The only IPv6 addresses that are assigned to servers so far. Source: IANA, IPv6 Address Space.
GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
LAST_32_BITS: Final = 0xFFFF_FFFF
#: Forms that a network may route to the IPv4 address that they contain, and the number of bits after that address.
EMBEDDED_IPV4: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # RFC 4291: IPv4-mapped
    (IPv6Network("64:ff9b::/96"), 0),  # RFC 6052: NAT64
    (IPv6Network("2002::/16"), 80),  # RFC 3056: 6to4
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
        return address.is_global and not any(address in network for network in NOT_PUBLIC_V4)
    bits = int(address)
    for network, bits_after in EMBEDDED_IPV4:
        if address in network:
            return is_public(str(IPv4Address(bits >> bits_after & LAST_32_BITS)))
    if bits >> 32 & LAST_32_BITS in ISATAP and not is_public(str(IPv4Address(bits & LAST_32_BITS))):
        return False
    is_assigned = address in GLOBAL_UNICAST_V6 and address.is_global
    return is_assigned and not any(address in network for network in NOT_PUBLIC_V6)
