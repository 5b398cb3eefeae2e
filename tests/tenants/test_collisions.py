"""Two names that meet in 32 bits, ground here, do not meet in ours."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe.names import normalise_name, slug
from autonoe.tenants.spec import tenant_name
from autonoe.tenants.tenancy import Tenancy
from support.collisions import ground_pair, short_hash

TENANCY = Tenancy(api_servers=("10.0.0.1:6443",))


def test_names_that_collide_in_32_bits_are_two_tenants() -> None:
    one, other = ground_pair()
    assert short_hash(one) == short_hash(other)  # the attack works on the short scheme
    assert normalise_name(one) != normalise_name(other)
    assert slug(one) != slug(other)
    for kind in ("user", "project"):
        assert TENANCY.namespace_of(kind, one) != TENANCY.namespace_of(kind, other)
        assert tenant_name(kind, one) != tenant_name(kind, other)


def test_a_name_cannot_be_chosen_to_look_like_another_ones_slug() -> None:
    victim = slug("Zoë")
    assert slug(victim) != victim  # a name with a double hyphen is hashed itself


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_two_tenants_share_a_namespace_only_if_they_are_one(one: str, other: str) -> None:
    try:
        same = normalise_name(one) == normalise_name(other)
    except InvalidInputError:
        return
    assert (TENANCY.namespace_of("user", one) == TENANCY.namespace_of("user", other)) == same
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", TENANCY.namespace_of("user", one))
