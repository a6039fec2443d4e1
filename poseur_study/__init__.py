"""The reproducibility study: which experiments there are, how they are run, and what their records say."""

import sys

# jsonschema, which comes with nbformat, would build a grammar of international URIs in every process: two seconds for
# what no notebook holds. It does without a checker that cannot be imported.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
