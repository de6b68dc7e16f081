"""Where a codebase decays first: long files, long functions, modules that import much. Printed, never a failure."""

import ast
import sys
from pathlib import Path

LINES, FUNCTION, IMPORTS = 400, 60, 10

for path in sorted(Path("gk").rglob("*.py")):
    text = path.read_text()
    tree = ast.parse(text)
    notes = []
    if (lines := text.count("\n")) > LINES:
        notes.append(f"{lines} lines")
    imports = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("gk")}
    if len(imports) > IMPORTS and path.name != "app.py":
        notes.append(f"imports {len(imports)} modules of gk")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION:
                notes.append(f"{node.name}: {length} lines")
    if notes:
        sys.stdout.write(f"watch {path}: {', '.join(notes)}\n")
