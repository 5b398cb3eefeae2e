"""The sentences about machines and about containers that run or ran: (what, next step)."""

from __future__ import annotations

from collections.abc import Mapping

RUNNING: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "storage_exceeded": {
        "en": (
            "It wrote more to the machine's own disk than it may.",
            "Write large files to your home, to S3 or to /tmp within its limit.",
        ),
        "fr": (
            "Il a trop écrit sur le disque local de la machine.",
            "Écrivez les gros fichiers dans votre espace ou sur S3.",
        ),
    },
    "evicted": {
        "en": (
            "The machine ran short of {resource}, so it ended this.",
            "Start again; choose a profile with more if it happens twice.",
        ),
        "fr": (
            "La machine manquait de {resource} et a mis fin à ce serveur.",
            "Redémarrez ; prenez un profil plus grand si cela se répète.",
        ),
    },
    "preempted": {
        "en": ("It made room for something more urgent.", "Start again, or try later."),
        "fr": ("Il a cédé sa place à plus urgent.", "Redémarrez, ou réessayez plus tard."),
    },
    "out_of_memory": {
        "en": (
            "It used more memory than it has, and was ended.",
            "Work on less data at a time, or choose a profile with more memory.",
        ),
        "fr": (
            "Il a dépassé sa mémoire et a été arrêté.",
            "Traitez moins de données à la fois, ou prenez un profil avec plus de mémoire.",
        ),
    },
    "node_lost": {
        "en": (
            "The machine does not answer.",
            "It is usually back, or replaced, within minutes. Then start again.",
        ),
        "fr": ("La machine ne répond pas.", "Elle revient en quelques minutes. Redémarrez alors."),
    },
    "runs_as_root": {
        "en": (
            "The image wants to run as root, which is not allowed here.",
            "Choose one that runs as a normal user, or set runAsUser to 1000.",
        ),
        "fr": (
            "L'image veut tourner en root, ce qui est interdit ici.",
            "Choisissez-en une autre, ou fixez runAsUser à 1000.",
        ),
    },
    "command_missing": {
        "en": (
            "The image does not hold the command to start.",
            "Choose an image of the catalogue.",
        ),
        "fr": ("L'image ne contient pas la commande.", "Choisissez une image du catalogue."),
    },
    "sandbox_failed": {
        "en": ("The machine could not prepare the container.", "It tries again by itself."),
        "fr": ("La machine n'a pas pu préparer le conteneur.", "Elle réessaie d'elle-même."),
    },
    "crashing": {
        "en": ("It starts and ends at once, again and again.", "Read its log for the reason."),
        "fr": ("Il démarre et s'arrête sans cesse.", "Lisez son journal."),
    },
    "memory_pressure": {
        "en": ("The machines are short of memory.", "Wait, or choose a smaller profile."),
        "fr": ("Les machines manquent de mémoire.", "Attendez, ou prenez un profil plus petit."),
    },
    "disk_pressure": {
        "en": ("The machines' own disks are nearly full.", "Tell an administrator."),
        "fr": ("Les disques des machines sont presque pleins.", "Signalez-le."),
    },
    "no_gpu": {
        "en": (
            "No GPU is free now.",
            "It starts as soon as one is free. Choose a profile without GPU to start at once.",
        ),
        "fr": (
            "Aucun GPU n'est libre.",
            "Le serveur démarrera dès qu'un se libère. Sans GPU, il démarre tout de suite.",
        ),
    },
    "no_memory": {
        "en": (
            "No machine has enough free memory now.",
            "It starts as soon as there is some. A smaller profile starts sooner.",
        ),
        "fr": (
            "Aucune machine n'a assez de mémoire libre.",
            "Le serveur démarrera dès que possible. Un profil plus petit démarre plus tôt.",
        ),
    },
    "no_cpu": {
        "en": (
            "No machine has enough free CPU now.",
            "It starts as soon as there is some. A smaller profile starts sooner.",
        ),
        "fr": (
            "Aucune machine n'a assez de CPU libre.",
            "Le serveur démarrera dès que possible. Un profil plus petit démarre plus tôt.",
        ),
    },
    "no_storage": {
        "en": ("No machine has enough local disk now.", "Ask for less local disk."),
        "fr": ("Aucune machine n'a assez de disque local.", "Demandez moins de disque local."),
    },
    "too_many_pods": {
        "en": ("The machines run as much as they can.", "Wait until something ends."),
        "fr": ("Les machines tournent à plein.", "Attendez qu'une tâche se termine."),
    },
    "no_matching_node": {
        "en": (
            "No machine is of the kind that the profile asks for.",
            "Choose another profile, or tell an administrator.",
        ),
        "fr": ("Aucune machine n'est du type demandé.", "Choisissez un autre profil."),
    },
    "tainted": {
        "en": (
            "The machines that are free are kept for something else.",
            "Choose another profile, or tell an administrator.",
        ),
        "fr": ("Les machines libres sont réservées.", "Choisissez un autre profil."),
    },
    "ports_taken": {
        "en": ("The port that it asks for is taken.", "Leave hostPort out."),
        "fr": ("Le port demandé est pris.", "N'utilisez pas hostPort."),
    },
    "cordoned": {
        "en": ("The machines are closed for maintenance.", "Try again later."),
        "fr": ("Les machines sont en maintenance.", "Réessayez plus tard."),
    },
    "no_nodes": {
        "en": ("The cluster has no machine at all now.", "Tell an administrator."),
        "fr": ("Le cluster n'a aucune machine.", "Signalez-le."),
    },
    "scaling_up": {
        "en": ("Another machine is being started.", "Nothing to do: it takes some minutes."),
        "fr": ("Une machine de plus démarre.", "Rien à faire : quelques minutes."),
    },
    "cannot_scale": {
        "en": (
            "No machine is free, and no further one can be started.",
            "Wait until something ends, or choose a smaller profile.",
        ),
        "fr": ("Aucune machine libre, ni à démarrer.", "Attendez, ou prenez un profil plus petit."),
    },
    "no_node": {
        "en": ("No machine can take it now.", "Wait, or choose another profile."),
        "fr": ("Aucune machine ne peut le prendre.", "Attendez, ou changez de profil."),
    },
    "queued": {
        "en": ("It waits for a machine.", "Nothing to do: this takes a second as a rule."),
        "fr": ("Il attend une machine.", "Rien à faire : une seconde en général."),
    },
    "scheduled": {
        "en": ("It has a machine and is being prepared.", "Nothing to do."),
        "fr": ("Il a une machine et se prépare.", "Rien à faire."),
    },
    "starting": {
        "en": ("The container runs and is getting ready.", "Nothing to do."),
        "fr": ("Le conteneur tourne et se prépare.", "Rien à faire."),
    },
    "running": {
        "en": ("It runs.", "Nothing to do."),
        "fr": ("Il tourne.", "Rien à faire."),
    },
    "finished": {
        "en": ("It ended with exit code {exit_code}.", "Read its log, then start it again."),
        "fr": ("Il s'est terminé avec le code {exit_code}.", "Lisez son journal."),
    },
    "stopping": {
        "en": ("It is being stopped.", "Wait until it is gone, then start again."),
        "fr": ("Il est en cours d'arrêt.", "Attendez la fin, puis redémarrez."),
    },
    "unknown": {
        "en": ("It does not run yet: {what}", "If it stays, show this text to an administrator."),
        "fr": ("Il ne tourne pas encore : {what}", "Si cela dure, montrez ce texte."),
    },
}
