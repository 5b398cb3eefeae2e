"""Login on a cluster: OIDC, and the tenant is asked for at once."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Instance, Set, Unicode

from autonoe.errors import AutonoeError
from autonoe.names import normalise_name
from autonoe_hub import pages
from autonoe_hub.cluster import api
from autonoe_hub.cluster.places import site_files
from autonoe_hub.cluster.settings import ClusterSettings
from autonoe_hub.cluster.tenants import TenantClient, Wanted
from autonoe_hub.profile_list import profile_list


class TenantAuthenticator(GenericOAuthenticator):  # type: ignore[misc]  # publishes no types
    """OIDC login that has the person's namespace prepared while they choose a profile."""

    cluster = Instance(ClusterSettings, help="Settings under custom.autonoe.").tag(config=True)
    mail_claim = Unicode("email", help="Claim with the person's address.").tag(config=True)
    ignored_groups = Set(help="Groups of the provider that mean nothing here.").tag(config=True)
    hub_namespace = Unicode("default", help="Where Tenant objects live.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._background: set[asyncio.Task[None]] = set()

    def normalize_username(self, username: str) -> str:
        """Return the form in which names are compared; "" (refused) for an impossible one."""
        try:
            return normalise_name(super().normalize_username(username))
        except AutonoeError:
            return ""

    def get_handlers(self, app: Any) -> list[Any]:
        """Return the hub's pages as ours, before those of the login."""
        return [*pages.handlers(profile_list(*site_files())), *super().get_handlers(app)]

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """Return the person's groups without those that mean nothing here."""
        found: set[str] = await super().get_user_groups(auth_state)
        patterns = [str(pattern) for pattern in self.ignored_groups]
        return {name for name in found if not any(fnmatchcase(name, one) for one in patterns)}

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> Any:
        """Log in with the provider; its tokens are not kept."""
        model = await super().authenticate(handler, data, **kwargs)
        if model and (name := self.normalize_username(model["name"])):
            claims = (model.get("auth_state") or {}).get(self.user_auth_state_key) or {}
            mail = claims.get(self.mail_claim)
            self._prepare(name, tuple(model.get("groups") or ()), mail)
        return model

    def _prepare(self, name: str, groups: tuple[str, ...], mail: Any) -> None:
        wanted = Wanted("user", name, groups, mail if isinstance(mail, str) else None)
        task = asyncio.create_task(self._ensure(wanted))
        # The loop holds tasks weakly: one that nobody keeps can vanish half done.
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _ensure(self, wanted: Wanted) -> None:
        try:
            api.prepare_client()
            await TenantClient(self.hub_namespace, self.cluster.instance).ensure(wanted)
        except AutonoeError as error:
            # The start of the first server asks again and says it to the person.
            self.log.warning("Tenant of %r not asked for yet: %s", wanted.owner, error.message)
