"""Write the golden texts and the reference page anew: `python -m tests.golden.write`.

Read the difference before you commit it: people and programs know these texts.
"""

from __future__ import annotations

from flowspec.codes import CODES
from tests.golden.problems import GOLDEN, PAGE, message_of, page

if __name__ == "__main__":
    for old in GOLDEN.glob("*.txt"):
        old.unlink()
    for code in CODES:
        (GOLDEN / f"{code}.txt").write_text(message_of(code), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
