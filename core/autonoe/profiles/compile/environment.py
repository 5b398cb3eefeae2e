"""The variables through which a server learns what its profile wants prepared."""

from __future__ import annotations

import json

from autonoe.profiles.choice import Choice

PREFIX = "AUTONOE_PROFILE_"


def start_environment(choice: Choice) -> dict[str, str]:
    """Return the variables of a server: the profile's own, and those of the start wrapper.

    None is a secret. :mod:`autonoe.profiles.start` reads them.
    """
    options = choice.profile.options
    found = {
        **choice.environment,
        f"{PREFIX}NAME": choice.name,
        f"{PREFIX}TITLE": choice.profile.title.en,
        f"{PREFIX}CHOICE": json.dumps(choice.asked, ensure_ascii=False, sort_keys=True),
        f"{PREFIX}S3": "on" if choice.s3 else "off",
        f"{PREFIX}HOME": "persistent" if choice.persistent_home else "temporary",
    }
    if choice.kernel:
        found[f"{PREFIX}KERNEL"] = choice.kernel
    if choice.repository:
        found |= {
            f"{PREFIX}REPOSITORY": choice.repository,
            f"{PREFIX}BRANCH": choice.branch,
            f"{PREFIX}REPOSITORY_TIMEOUT_S": str(options.repository.timeout_s),
        }
    if choice.init_script:
        found |= {
            f"{PREFIX}INIT_SCRIPT": choice.init_script,
            f"{PREFIX}INIT_SCRIPT_SHA256": choice.init_script_sha256,
            f"{PREFIX}INIT_SCRIPT_TIMEOUT_S": str(options.init_script.timeout_s),
        }
    if choice.packages:
        found |= {
            f"{PREFIX}PACKAGES": json.dumps(choice.packages),
            f"{PREFIX}PACKAGES_TIMEOUT_S": str(options.packages.timeout_s),
        }
    return found
