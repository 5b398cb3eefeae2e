"""``python -m autonoe_nace.serving``: what a deployment runs."""

from __future__ import annotations

import sys

import click

from autonoe.errors import AutonoeError
from autonoe_nace.serving.cli import serve

if __name__ == "__main__":
    try:
        serve(standalone_mode=False)
    except AutonoeError as error:
        click.echo(f"{error.message} {error.hint}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
