"""The widgets that a notebook shows; each is one ``.py`` and one ``.js`` and opens no port."""
