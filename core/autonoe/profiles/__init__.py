"""Profiles: what a person can start, described once, compiled to all who show or check it.

For a spawner, in this order::

    site = autonoe.profiles.site.read(file)                  # the organisation's settings
    catalogue = autonoe.profiles.sources.load(site.catalogues, cache=folder)
    choice = autonoe.profiles.options.parse(user_options, catalogue, groups, is_admin)
    autonoe.profiles.compile.overrides(choice)          # KubeSpawner's traits for this server
    autonoe.profiles.compile.shared_memory(choice)      # volume and mount for /dev/shm, or None
    autonoe.profiles.compile.start_environment(choice)  # AUTONOE_PROFILE_* and the profile's own
    choice.preparation_s                                # add to start_timeout and http_timeout

``parse`` raises for all that the person may not have; ``choice.persistent_home`` and
``choice.lifetime`` are the spawner's own to follow. The pod's command is ``python -m
autonoe.profiles.start -- jupyterhub-singleuser``. This module imports nothing, so that the start
wrapper costs no more than what it does.
"""
