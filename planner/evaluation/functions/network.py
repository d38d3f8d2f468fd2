"""IP networks in CIDR notation, version 4 and 6."""

from __future__ import annotations

import ipaddress
import re

from planner.evaluation.functions.signature import ArgumentFault, Family, Parameter
from planner.evaluation.functions.text import whole_number
from planner.values.types import NUMBER, STRING, ListType, ListValue, Number, Value

FUNCTIONS = Family()

_PREFIX = Parameter("prefix")
_LEADING_ZEROS = re.compile(r"(?<![\w:])0+(?=\d)")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(prefix: str) -> Network:
    """The network of a prefix such as 10.0.0.5/8; host bits are let go of."""
    address, slash, length = prefix.partition("/")
    if slash and length.isascii() and length.isdigit() and "%" not in address:
        if ":" not in address:
            # Terraform reads 010.0.0.1 as decimal, as it always has; Python refuses what may have been meant as octal.
            address = _LEADING_ZEROS.sub("", address)
        try:
            return ipaddress.ip_network(f"{address}/{length}", strict=False)
        except ValueError:
            pass
    raise ArgumentFault(0, f'"{prefix}" is not a network in CIDR notation, such as 10.0.0.0/8')


@FUNCTIONS.add("cidrhost", _PREFIX, Parameter("hostnum", NUMBER), returns=STRING)
def host(prefix: str, number: Number) -> Value:
    """The address of a host by its number; a negative one counts from the end."""
    network, index = _network(prefix), _host_number(number, 1)
    size = network.num_addresses
    if not -size <= index < size:
        bits = network.max_prefixlen - network.prefixlen
        raise ArgumentFault(1, f"the network has {bits} bits for hosts, too few for number {index}")
    return str(network[index])


@FUNCTIONS.add("cidrnetmask", _PREFIX, returns=STRING)
def netmask(prefix: str) -> Value:
    network = _network(prefix)
    if network.version != 4:
        raise ArgumentFault(0, "networks of IPv6 have no netmask in this notation")
    return str(network.netmask)


@FUNCTIONS.add("cidrsubnet", _PREFIX, Parameter("newbits", NUMBER), Parameter("netnum", NUMBER), returns=STRING)
def subnet(prefix: str, new_bits: Number, number: Number) -> Value:
    network, bits, index = _network(prefix), whole_number(new_bits, 1), _host_number(number, 2)
    length = network.prefixlen + bits
    if not 0 <= length <= network.max_prefixlen:
        free = network.max_prefixlen - network.prefixlen
        raise ArgumentFault(1, f"the prefix has {free} bits left, so it cannot be extended by {bits}")
    if not 0 <= index < 1 << max(bits, 0):
        raise ArgumentFault(2, f"{bits} new bits are too few for subnet number {index}")
    return str(_subnet_at(network, length, int(network.network_address) + (index << network.max_prefixlen - length)))


@FUNCTIONS.add("cidrsubnets", _PREFIX, variadic=Parameter("newbits", NUMBER), returns=ListType(STRING))
def subnets(prefix: str, *new_bits: Number) -> Value:
    """Subnets one after the other, each at the next address where one of its size may begin."""
    network = _network(prefix)
    first, end = int(network.network_address), int(network.broadcast_address) + 1
    at, found = first, []
    for argument, one in enumerate(new_bits, 1):
        bits = whole_number(one, argument)
        if not 1 <= bits <= 32:
            raise ArgumentFault(argument, "the prefix must be extended by 1 to 32 bits")
        length = network.prefixlen + bits
        if length > network.max_prefixlen:
            free = network.max_prefixlen - network.prefixlen
            raise ArgumentFault(argument, f"the prefix has {free} bits left, so it cannot be extended by {bits}")
        size = 1 << network.max_prefixlen - length
        at = -(-at // size) * size
        if at + size > end:
            raise ArgumentFault(argument, f"there is no room left in {network} for a subnet of {bits} new bits")
        found.append(str(_subnet_at(network, length, at)))
        at += size
    return ListValue(STRING, tuple(found))


def _host_number(number: Number, index: int) -> int:
    """A whole number of any size: those of IPv6 have up to 128 bits."""
    if isinstance(number, int):
        return number
    raise ArgumentFault(index, "a whole number is required")


def _subnet_at(network: Network, length: int, address: int) -> Network:
    return type(network)((address, length), strict=False)
