"""The sentences behind each reason, in English and in French: (what it is, the next step).

Here: what refuses an object, disks and images. `texts_running` has machines and containers.
"""

from __future__ import annotations

from collections.abc import Mapping

from autonoe.kubernetes.texts_running import RUNNING

WAITING = {
    "scheduled",
    "image_pulling",
    "volume_waiting",
    "starting",
    "scaling_up",
    "queued",
    "running",
}
"""Reasons that are no fault: it goes on by itself."""

_ASK = "Ask an administrator"
_ASK_FR = "Demandez à l'administration"

_BEFORE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "quota_exceeded": {
        "en": (
            "Your quota {quota!r} has {limited}; {used} are in use, and this asks for {asked}.",
            "Stop something you no longer need, choose less, or ask for a larger quota.",
        ),
        "fr": (
            "Votre quota {quota!r} est de {limited}, dont {used} pris ; il faudrait {asked}.",
            "Arrêtez ce qui ne sert plus, choisissez moins, ou demandez un quota plus grand.",
        ),
    },
    "quota_needs_limits": {
        "en": (
            "The quota {quota!r} wants to know beforehand how much is needed: {what}.",
            "State requests and limits for each container.",
        ),
        "fr": (
            "Le quota {quota!r} demande de dire à l'avance les besoins : {what}.",
            "Indiquez requests et limits pour chaque conteneur.",
        ),
    },
    "pod_security": {
        "en": (
            "The cluster refuses this container, since it asks for too many rights: {parts}.",
            "Run it as a normal user (runAsNonRoot, no host access, no added capabilities).",
        ),
        "fr": (
            "Le cluster refuse ce conteneur, qui demande plus de droits que permis : {parts}.",
            "Lancez-le sans privilèges (runAsNonRoot, aucun accès à l'hôte).",
        ),
    },
    "limit_exceeded": {
        "en": (
            "One {per} may have at most {limit} of {resource} here.",
            "Choose less, or ask an administrator for a larger limit.",
        ),
        "fr": (
            "Un {per} dispose ici d'au plus {limit} de {resource}.",
            "Choisissez moins, ou demandez une limite plus large.",
        ),
    },
    "policy_refused": {
        "en": ("The platform's rules refuse this: {why}", f"{_ASK} if you need it."),
        "fr": ("Les règles de la plateforme le refusent : {why}", f"{_ASK_FR} si besoin."),
    },
    "account_missing": {
        "en": (
            "Your workspace on the cluster is not complete: the service account {name} is missing.",
            "It repairs itself within seconds. Try again; if it stays, tell an administrator.",
        ),
        "fr": (
            "Votre espace sur le cluster est incomplet : il manque le compte {name}.",
            "Il se répare en quelques secondes. Réessayez.",
        ),
    },
    "namespace_ending": {
        "en": (
            "This workspace is being removed.",
            "Wait until it is gone, then start again; or ask an administrator.",
        ),
        "fr": ("Cet espace est en cours de suppression.", "Attendez la fin, puis recommencez."),
    },
    "namespace_missing": {
        "en": (
            "Your workspace {name} does not exist on the cluster yet.",
            "It is made at the start of a server. Start one.",
        ),
        "fr": (
            "Votre espace {name} n'existe pas encore sur le cluster.",
            "Il est créé au démarrage d'un serveur. Démarrez-en un.",
        ),
    },
    "volume_in_use": {
        "en": (
            "Your home disk is still attached to another machine.",
            "Stop the other server; when its machine failed, this can take some minutes.",
        ),
        "fr": (
            "Votre disque est encore attaché à une autre machine.",
            "Arrêtez l'autre serveur ; après une panne, cela peut durer quelques minutes.",
        ),
    },
    "storage_class_missing": {
        "en": (
            "The kind of disk {name!r} does not exist on this cluster.",
            f"{_ASK} to correct the platform's storage class.",
        ),
        "fr": (
            "Le type de disque {name!r} n'existe pas sur ce cluster.",
            f"{_ASK_FR} de corriger la classe de stockage.",
        ),
    },
    "volume_missing": {
        "en": ("The disk {name!r} does not exist.", "Start the server again: it makes its disk."),
        "fr": ("Le disque {name!r} n'existe pas.", "Redémarrez le serveur : il crée son disque."),
    },
    "volume_lost": {
        "en": (
            "The disk behind your home is gone.",
            f"{_ASK}: it may be restored from a backup. Do not delete anything yourself.",
        ),
        "fr": (
            "Le disque de votre espace a disparu.",
            f"{_ASK_FR} de le restaurer. Ne supprimez rien vous-même.",
        ),
    },
    "volume_unbound": {
        "en": (
            "There is no disk yet for your home.",
            "Wait a minute. If it stays, the cluster has no disk of that size left.",
        ),
        "fr": (
            "Il n'y a pas encore de disque pour votre espace.",
            "Attendez une minute. Sinon, le cluster n'a plus de disque de cette taille.",
        ),
    },
    "volume_waiting": {
        "en": ("Your disk is being prepared.", "Nothing to do: a first disk takes some seconds."),
        "fr": ("Votre disque est en préparation.", "Rien à faire : quelques secondes."),
    },
    "volume_elsewhere": {
        "en": (
            "Your disk is in one place of the cluster and the free machines are in another.",
            "Choose another profile, or try later when a machine beside the disk is free.",
        ),
        "fr": (
            "Votre disque et les machines libres ne sont pas au même endroit du cluster.",
            "Choisissez un autre profil, ou réessayez plus tard.",
        ),
    },
    "volume_limit": {
        "en": ("The machines have as many disks attached as they can.", "Try again later."),
        "fr": ("Les machines ont atteint leur nombre maximal de disques.", "Réessayez plus tard."),
    },
    "disk_full": {
        "en": (
            "A disk is full.",
            "Delete what you no longer need, or move it to S3, and start again.",
        ),
        "fr": ("Un disque est plein.", "Supprimez l'inutile, ou déplacez-le vers S3."),
    },
    "provisioning_failed": {
        "en": ("The cluster could not make a disk.", f"{_ASK}; the technical text says why."),
        "fr": ("Le cluster n'a pas pu créer de disque.", f"{_ASK_FR} ; voir le texte technique."),
    },
    "config_missing": {
        "en": (
            "It needs the {what} {name!r}, which does not exist in this namespace.",
            "Create it, or correct the name.",
        ),
        "fr": (
            "Il lui faut {what} {name!r}, absent de cet espace.",
            "Créez-le, ou corrigez le nom.",
        ),
    },
    "volume_slow": {
        "en": ("A disk cannot be attached yet.", "Wait two minutes; then tell an administrator."),
        "fr": ("Un disque ne s'attache pas encore.", "Attendez deux minutes, puis signalez-le."),
    },
    "image_forbidden": {
        "en": (
            "The cluster may not read this image, or it does not exist.",
            "Check its name; a private image needs a pull secret from an administrator.",
        ),
        "fr": (
            "Le cluster n'a pas le droit de lire cette image, ou elle n'existe pas.",
            "Vérifiez son nom ; une image privée demande un secret d'accès.",
        ),
    },
    "image_limit": {
        "en": ("The image's registry allows no more downloads now.", "Try again in some minutes."),
        "fr": ("Le registre d'images limite les téléchargements.", "Réessayez plus tard."),
    },
    "image_absent": {
        "en": (
            "The image {image} is not on this machine, and downloading it is switched off.",
            f"{_ASK} to load it.",
        ),
        "fr": (
            "L'image {image} n'est pas sur cette machine, et son téléchargement est désactivé.",
            f"{_ASK_FR} de la charger.",
        ),
    },
    "image_name": {
        "en": ("The image's name is not a valid one.", "Correct it: REGISTRY/NAME:TAG."),
        "fr": ("Le nom de l'image n'est pas valable.", "Corrigez-le : REGISTRE/NOM:VERSION."),
    },
    "image_platform": {
        "en": (
            "The image was built for another kind of processor.",
            "Choose an image for this cluster's machines.",
        ),
        "fr": ("L'image est faite pour un autre processeur.", "Choisissez-en une autre."),
    },
    "image_unreachable": {
        "en": (
            "The image's registry does not answer.",
            "It is tried again by itself. If it stays, tell an administrator.",
        ),
        "fr": ("Le registre d'images ne répond pas.", "Un nouvel essai suit de lui-même."),
    },
    "image_missing": {
        "en": ("The image does not exist in its registry.", "Check its name and its tag."),
        "fr": ("L'image n'existe pas dans son registre.", "Vérifiez son nom et sa version."),
    },
    "image_pulling": {
        "en": (
            "The image is being downloaded to the machine.",
            "Nothing to do: the first time takes one to five minutes.",
        ),
        "fr": (
            "L'image est en cours de téléchargement.",
            "Rien à faire : la première fois prend une à cinq minutes.",
        ),
    },
    "image_failed": {
        "en": ("The image cannot be downloaded.", "Check its name; it is tried again by itself."),
        "fr": ("L'image ne se télécharge pas.", "Vérifiez son nom ; un nouvel essai suivra."),
    },
}

TEXTS: Mapping[str, Mapping[str, tuple[str, str]]] = {**_BEFORE, **RUNNING}
"""By code, then by language."""
