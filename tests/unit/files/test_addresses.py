from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from airflow_provider_instagram.files.download import is_public

PRIVATE_V4 = ("10.0.0.1", "127.0.0.1", "169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200", "0.1.2.3")

#: Every way to write an IPv4 address into an IPv6 address, as a function of its 32 bits.
FORMS = {
    "mapped": lambda v4: IPv6Address(0xFFFF << 32 | v4),
    "compatible": lambda v4: IPv6Address(v4),
    "translated": lambda v4: IPv6Address(0xFFFF << 48 | v4),
    "NAT64": lambda v4: IPv6Address(int(IPv6Address("64:ff9b::")) | v4),
    "local NAT64": lambda v4: IPv6Address(int(IPv6Address("64:ff9b:1::")) | v4),
    "6to4": lambda v4: IPv6Address(0x2002 << 112 | v4 << 80 | 1),
    "Teredo": lambda v4: IPv6Address(0x2001 << 112 | 0x08080808 << 64 | (v4 ^ 0xFFFFFFFF)),
    "ISATAP": lambda v4: IPv6Address(int(IPv6Address("2606:4700::5efe:0:0")) | v4),
    "ISATAP, unique": lambda v4: IPv6Address(int(IPv6Address("2606:4700::200:5efe:0:0")) | v4),
}


@pytest.mark.parametrize(
    "ip",
    [
        *(*PRIVATE_V4, "0.0.0.0"),  # noqa: S104  nothing is bound to it
        *("172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.64.0.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "feff::1", "ff02::1"),
        *("64:ff9b:1::1", "64:ff9b:1:ffff::1", "5f00::1", "3fff::1", "3fff:fff::1", "100::1", "2001:db8::1"),
        *("2001::1", "2001:2::1", "4000::1", "8000::1", "::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9a::1"),
    ],
)
def test_an_address_with_no_public_server_is_refused(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PRIVATE_V4)
@pytest.mark.parametrize("form", FORMS)
def test_a_private_address_stays_private_in_every_spelling(ip: str, form: str) -> None:
    assert not is_public(str(FORMS[form](int(IPv4Address(ip)))))


@pytest.mark.parametrize(
    "ip",
    [
        *("8.8.8.8", "100.63.255.255", "100.128.0.1", "168.63.129.15", "168.63.129.17", "192.0.1.1", "172.32.0.1"),
        *("198.20.0.1", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "3ffe:ffff::1"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::5efe:808:808"),
    ],
)
def test_an_address_of_a_public_server_is_taken(ip: str) -> None:
    """Also beside a private network, and in the spellings by which a network that has IPv6 only reaches IPv4."""
    assert is_public(ip)
