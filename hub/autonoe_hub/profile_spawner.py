"""What every spawner of ours has: a form from the catalogue, and one place that decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from jinja2 import Environment, FileSystemLoader
from jupyterhub.spawner import SpawnException
from traitlets import HasTraits, Instance, default

from autonoe.errors import AutonoeError
from autonoe.profiles.catalogue import Catalogue, Mode
from autonoe.profiles.choice import Choice
from autonoe.profiles.options import parse
from autonoe_hub import brand, form
from autonoe_hub.free import Node, free_for, free_view
from autonoe_hub.page_words import Speaker, choose_language
from autonoe_hub.profile_list import ProfileList

_STATUS = {
    "profile_forbidden": 403,
    "image_forbidden": 403,
    "no_profile": 403,
    "invalid_catalogue": 503,
}

_TEMPLATES = Environment(loader=FileSystemLoader(brand.TEMPLATES), autoescape=True)


class LinkOnlyPreselectsError(SpawnException):  # type: ignore[misc]
    """Raised for options in an address, where the hub's page for them is not ours.

    JupyterHub then shows the form, in which the link's options are filled in.
    """

    jupyterhub_message = ""


class ProfileSpawner(HasTraits):
    """Mixin for a spawner class, before the class itself.

    It decides in :meth:`choose`, which the spawner calls in ``start``: all ways to a server lead
    there, the form, a link, the REST API and a restart with what was chosen last.
    """

    mode: ClassVar[Mode] = "kubernetes"

    # Of JupyterHub's Spawner, which comes behind this class.
    user: Any
    user_options: dict[str, Any]
    orm_spawner: Any
    handler: Any
    http_timeout: int

    profiles = Instance(ProfileList, allow_none=True)
    """Set by the subclass; traitlets would copy a configured one for each person."""

    _typed: dict[str, Any] | None = None
    """What was in a form that was refused; shown again."""
    _language = "en"

    # -- for the subclass ---------------------------------------------------------------------

    def profile_groups(self) -> tuple[str, ...]:
        """Return the groups of the person, as far as they are known here."""
        return tuple(group.name for group in self.user.groups)

    async def free_nodes(self) -> list[Node]:
        """Return the counts of the machines; an empty list when they are not known."""
        return []

    def choose(self) -> Choice:
        """Return what the server is to be started with; what is refused is not remembered.

        Raises
        ------
        AutonoeError
            If ``user_options`` ask for something that is not open to the person.
        """
        try:
            return self._parse(self.user_options)
        except AutonoeError:
            # JupyterHub stored the options before it asked us; the next start without any would
            # be refused for them again.
            self.orm_spawner.user_options = None
            raise

    def open_catalogue(self) -> Catalogue:
        """Return what the person may start here.

        Raises
        ------
        AutonoeError
            If the catalogue cannot be read.
        """
        assert self.profiles is not None  # noqa: S101  the subclass set it
        if self.profiles.problem is not None:
            raise self.profiles.problem
        return self.profiles.catalogue.for_groups(
            self.profile_groups(), is_admin=bool(self.user.admin), mode=self.mode
        )

    # -- the form -----------------------------------------------------------------------------

    @default("options_form")
    def _options_form_default(self) -> Any:
        return type(self)._show_form

    @default("options_from_form")
    def _options_from_form_default(self) -> Any:
        return self._read_form

    def options_from_query(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """Refuse: a link fills the form in, and does not start a server."""
        raise LinkOnlyPreselectsError("A link preselects.", reason="link_only_preselects")

    async def _show_form(self) -> str:
        assert self.profiles is not None  # noqa: S101  the subclass set it
        await self.profiles.refreshed()
        request = self.handler.request if self.handler is not None else None
        header = request.headers.get("Accept-Language", "") if request else ""
        language = choose_language(self.profiles.site.language, header)
        t = Speaker(language if request else self._language)
        arguments = request.query_arguments if request else {}
        try:
            catalogue = self.open_catalogue()
            catalogue.default()
            chosen = self._preselected(arguments, t)
            if self._starts_directly(catalogue, chosen, arguments):
                return ""
        except AutonoeError as error:
            raise _refusal(error, t) from error
        nodes = await self.free_nodes()
        view = form.form_view(catalogue, chosen, t, mode=self.mode, nodes=nodes)
        return _TEMPLATES.get_template("profile_form.html").render(form=view, t=t)

    def _starts_directly(
        self, catalogue: Catalogue, chosen: form.Preselected, arguments: Mapping[str, list[bytes]]
    ) -> bool:
        """Return whether there is nothing to choose: one profile on one machine, nothing asked."""
        asked = form.asks_for_form(arguments) or self._typed is not None or self.handler is None
        return self.mode == "embedded" and len(catalogue) == 1 and not asked and not chosen.notices

    def _preselected(self, arguments: Mapping[str, list[bytes]], t: Speaker) -> form.Preselected:
        typed, self._typed = self._typed, None
        if typed is not None:
            return form.Preselected(typed)
        if asked := form.from_query(arguments):
            return form.Preselected(asked, from_link="repository" in asked)
        saved = dict(self.orm_spawner.user_options or {})
        try:
            self._parse(saved)
        except AutonoeError as error:
            return form.Preselected(notices=[t("form.stale", reason=form.explain(error, t))])
        return form.Preselected(saved)

    def _read_form(self, data: form.Form) -> dict[str, Any]:
        self._language = (data.get("language") or ["en"])[-1]
        t = Speaker(self._language)
        try:
            options = form.read_form(data, self.open_catalogue())
            self._typed = options
            self._parse(options)
        except AutonoeError as error:
            raise _refusal(error, t) from error
        self._typed = None
        return options

    async def free_lines(self, t: Speaker) -> dict[str, Any]:
        """Return what is free beside each profile, by the profile's name."""
        nodes = await self.free_nodes()
        try:
            catalogue = self.open_catalogue()
        except AutonoeError:
            return {}
        waits = self.mode == "kubernetes"
        return {
            entry.name: free_view(entry.profile, free_for(entry.profile, nodes), t, waits=waits)
            for entry in catalogue
        }

    def _parse(self, options: Mapping[str, Any] | None) -> Choice:
        assert self.profiles is not None  # noqa: S101  the subclass set it
        if self.profiles.problem is not None:
            raise self.profiles.problem
        return parse(
            options,
            self.profiles.catalogue,
            self.profile_groups(),
            bool(self.user.admin),
            mode=self.mode,
        )


def refusal_status(error: AutonoeError) -> int:
    """Return the HTTP status of a refused start."""
    return _STATUS.get(error.code, 400)


def _refusal(error: AutonoeError, t: Speaker) -> SpawnException:
    problem = SpawnException(
        form.explain(error, t), reason=error.code, status_code=refusal_status(error)
    )
    problem.jupyterhub_message = form.explain(error, t)
    return problem
