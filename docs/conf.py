"""Settings of the documentation site. Pages are MyST markdown; a warning fails the build."""

from autonoe import __version__

project = "Autonoe"
author = "The Autonoe developers"
copyright = "The Autonoe developers, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
smartquotes = False  # two hyphens are an option, not a dash

html_theme = "pydata_sphinx_theme"
html_title = "Autonoe"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
