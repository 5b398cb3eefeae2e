"""What the hub's own pages say, in English and French."""

from __future__ import annotations

from autonoe_hub.page_words import choose_language

_ENGLISH = {
    "login_title": "This platform opens with a one-time link",
    "login_text": "On your own machine, run this in a terminal and follow the link that it prints:",
    "login_shared": "On a shared server, ask the person who runs it for your link.",
    "used_title": "This link no longer works",
    "used_text": "A link works once, for a few minutes. For a fresh one, run this in a terminal:",
    "used_shared": "On a shared server, ask the person who runs it for a new link.",
    "switch_title": "You are signed in as {current}",
    "switch_text": "This link is for the account {account}. Nothing of {current} is lost.",
    "switch_yes": "Sign out {current} and continue as {account}",
    "switch_no": "Stay signed in as {current}",
}

_FRENCH = {
    "login_title": "Cette plateforme s'ouvre avec un lien à usage unique",
    "login_text": "Sur votre machine, lancez ceci dans un terminal et suivez le lien affiché :",
    "login_shared": "Sur un serveur partagé, demandez votre lien à qui l'administre.",
    "used_title": "Ce lien ne fonctionne plus",
    "used_text": "Un lien sert une seule fois, pendant quelques minutes. Pour un autre, lancez :",
    "used_shared": "Sur un serveur partagé, demandez un autre lien à qui l'administre.",
    "switch_title": "Vous êtes connecté en tant que {current}",
    "switch_text": "Ce lien est celui du compte {account}. Rien n'est perdu pour {current}.",
    "switch_yes": "Déconnecter {current} et continuer en tant que {account}",
    "switch_no": "Rester connecté en tant que {current}",
}

CATALOGUE = {"en": _ENGLISH, "fr": _FRENCH}


def messages(accept_language: str) -> dict[str, str]:
    """Return the catalogue that fits an ``Accept-Language`` header best; English when none does."""
    return CATALOGUE[choose_language("auto", accept_language)]
