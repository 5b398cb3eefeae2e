"""Lab asks for a kernel once for each cell that has none; whoever runs a notebook answers all."""

from __future__ import annotations

import pytest

from support.browser import answer_kernel_questions, chromium

pytestmark = pytest.mark.browser

# In place of Lab, whose race it takes to be asked: the same roles and classes, one after another.
PAGE = """<button role="menuitem" onclick="document.title = 'ran'">Run</button>
<script>
  let cells = 5
  function ask() {
    if (!cells--) return
    const dialog = document.createElement('dialog')
    dialog.setAttribute('role', 'dialog')
    dialog.innerHTML = 'Select Kernel <button class="jp-mod-accept">Select</button>'
    document.body.append(dialog)
    dialog.showModal()
    dialog.querySelector('button').onclick = () => { dialog.remove(); queueMicrotask(ask) }
  }
  ask()
</script>"""


def test_every_question_is_answered_before_the_next_step() -> None:
    with chromium() as browser:
        page = browser.page
        page.set_content(PAGE)
        answer_kernel_questions(page)
        page.get_by_role("menuitem", name="Run", exact=True).click(timeout=10_000)
        assert page.title() == "ran"
        assert page.get_by_role("dialog").count() == 0
