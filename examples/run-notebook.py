# Executes a TypeScript notebook with parameters: python examples/run-notebook.py IN.ipynb OUT.ipynb seeds=5
# papermill has no translator for TypeScript and no entry point to add one, so this program registers it.
import json
import sys

import papermill
from papermill.translators import Translator, papermill_translators


class TypeScript(Translator):
    @classmethod
    def translate(cls, value):
        return json.dumps(value)

    @classmethod
    def comment(cls, text):
        return f"// {text}"

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        lines = [f"let {name} = {cls.translate(value)};" for name, value in parameters.items()]
        return "\n".join([cls.comment(comment), *lines])


if __name__ == "__main__":
    papermill_translators.register("typescript", TypeScript)
    source, target, *pairs = sys.argv[1:]
    values = dict(pair.split("=", 1) for pair in pairs)
    papermill.execute_notebook(source, target, parameters={k: json.loads(v) for k, v in values.items()})
