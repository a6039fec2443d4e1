"""An executed notebook as blocks of a page, and tables as HTML."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from poseur_lib.errors import UserError
from poseur_study.display.html_table import show_table
from poseur_study.report.blocks import notebook_blocks, notebook_title


@pytest.fixture
def notebook(tmp_path):
    outputs = [
        new_output("stream", name="stdout", text="step 1\rstep 2\r\x1b[32mstep 3\x1b[0m <b>"),
        new_output("stream", name="stderr", text="a warning"),
        new_output("display_data", data={"text/html": "<table></table>", "text/plain": "no"}),
        new_output("error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m: <v>"]),
    ]
    cells = [new_markdown_cell("# A title\n\nText with *weight*."), new_code_cell("x = 1 < 2", outputs=outputs)]
    path = tmp_path / "n.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_blocks(notebook):
    blocks = notebook_blocks(notebook)
    assert [block.kind for block in blocks] == ["prose", "code", "output", "output", "error"]
    prose, code, stream, table, error = (block.body for block in blocks)
    assert "<em>weight</em>" in prose and "anchor-link" not in prose
    assert "&lt;" in code
    assert stream == "<pre>step 3 &lt;b&gt;</pre>"
    assert table == "<table></table>"
    assert error == "<pre>E: &lt;v&gt;</pre>"
    assert notebook_title(notebook) == "A title"


def test_a_notebook_that_is_cut_off_is_a_clear_error(notebook):
    notebook.write_text(notebook.read_text()[:50])
    with pytest.raises(UserError, match=r"n\.ipynb cannot be read"):
        notebook_blocks(notebook)


def test_a_missing_cell_is_not_run_and_text_is_escaped():
    text = show_table([{"a": None, "b": 1.26}, {"a": "<x>", "b": float("nan")}], "caption <c>").data
    assert text.count("not run") == 2
    assert "1.3" in text and "&lt;x&gt;" in text and "caption &lt;c&gt;" in text
