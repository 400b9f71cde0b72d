"""What a wheel holds beside the package's code: parameters, notebooks and the shipped model, in siamese_utils/_home.

Not for an editable install, which finds them in its checkout.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Home(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files that pyproject.toml names; each pattern must name one at least."""
        if version == "editable":
            return
        for pattern in self.config["home"]:
            files = sorted(Path(self.root).glob(pattern))
            if not files:
                raise FileNotFoundError(f"no {pattern} in {self.root}")
            for file in files:
                inside = file.relative_to(self.root).as_posix()
                build_data["force_include"][str(file)] = f"siamese_utils/_home/{inside}"
